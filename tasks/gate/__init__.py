"""The gate: is this model better than what there is, and harmful to nobody?

It weighs the predictions on the test subset against the baseline of `baseline/` that was measured on the same data and
split, and writes a verdict. `python -m tasks.gate` always exits 0, for a verdict is a result; with `--enforce` the exit
status is the verdict.
"""
