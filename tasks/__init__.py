"""The steps of the pipeline: one module a step, each a pure function and a `main()` that `dvc.yaml` calls."""
