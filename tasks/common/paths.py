"""Where everything lies, relative to the root of the repository (every step runs there)."""

from pathlib import Path
from typing import Final

PARAMS: Final = Path("params.yaml")

DATA: Final = Path("data")
FACES: Final = DATA / "faces.parquet"
PROVENANCE: Final = DATA / "provenance.json"

OUTPUTS: Final = Path("outputs")
SPLIT: Final = OUTPUTS / "split.parquet"
MODEL: Final = OUTPUTS / "model.keras"
PREDICTIONS: Final = OUTPUTS / "predictions.parquet"
EVALUATION: Final = OUTPUTS / "evaluation.json"

METRICS: Final = Path("metrics")
VALIDATION: Final = METRICS / "validation.json"
TRAINING: Final = METRICS / "training.json"
COST: Final = METRICS / "cost.json"
SCORES: Final = METRICS / "scores.json"
VERDICT: Final = METRICS / "verdict.json"

PLOTS: Final = Path("plots")
HISTORY: Final = PLOTS / "training"
CONFUSION: Final = PLOTS / "confusion.csv"
RELIABILITY: Final = PLOTS / "reliability.csv"

REPORTS: Final = Path("reports")
VALIDATION_REPORT: Final = REPORTS / "validation.html"
REPORT: Final = REPORTS / "report.html"
FIGURES: Final = REPORTS / "figures"
"""Charts of the report, each as an SVG file of its own."""

BASELINES: Final = Path("baseline")

BACKUPS: Final = Path(".backup")
"""What resumes a killed training: outside DVC's outputs, which DVC deletes before it runs a stage."""

DOWNLOADS: Final = Path(".downloads")
"""What was fetched from a store, whole or in part: kept, so that what is unchanged is not fetched again."""

REGISTRY: Final = Path("registry")
"""The model registry, where no other place is named."""
