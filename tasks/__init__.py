"""The steps of the pipeline, ingest to promote, and what several of them share.

A step is a module or a package with a pure function and a `main()` that `dvc.yaml` or `make` calls.
"""

import model  # noqa: F401 - it sets how Keras and TensorFlow start, before any step imports them
