"""The steps of the pipeline: one module a step, each a pure function and a `main()` that `dvc.yaml` calls."""

import model  # noqa: F401 - it sets how Keras and TensorFlow start, before any step imports them
