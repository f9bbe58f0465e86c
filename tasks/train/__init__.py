"""The step that trains. `python -m tasks.train` runs it; `learning` and `subsets` need neither DVC nor its kin."""
