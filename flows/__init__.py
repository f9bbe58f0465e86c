"""When and where the graph of `dvc.yaml` runs, and what comes after a failure."""
