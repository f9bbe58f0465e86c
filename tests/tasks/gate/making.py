"""A small world in which the gate can judge: faces, a split, a baseline and candidates of a known skill."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.labels import LABELS
from tasks.common.params import Gate, SplitParams
from tasks.common.provenance import Provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, Predictions, Split
from tasks.gate.baselines import Baseline, Record, figures
from tasks.gate.judging import Cost, Evidence
from tasks.gate.matching import dataset, division

ROOT = Path(__file__).parents[3]
PARAMS = load_params(ROOT / "params.yaml")
SHARES = np.array([0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])
TRAIN, VALIDATION = 60, 20


def gate(**changes: float | None) -> Gate:
    """The real thresholds, with those of the floors and of calibration out of the way: predictions are made up."""
    return PARAMS.gate.model_copy(update={"min_above_ridge": 0.0, "max_ece": 1.0, "resamples": 400} | changes)


def labels(random: np.random.Generator, n: int) -> np.ndarray:
    return random.choice(len(LABELS), size=n, p=SHARES)


def guesses(random: np.random.Generator, label: np.ndarray, skill: float | np.ndarray) -> np.ndarray:
    """Predict a label rightly with a chance of `skill`, else one of the six others."""
    right = random.random(len(label)) < skill
    return np.where(right, label, (label + random.integers(1, len(LABELS), len(label))) % len(LABELS))


def predictions(row: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Predictions:
    sure = np.full((len(label), len(LABELS)), 0.05, np.float32)
    sure[np.arange(len(label)), predicted] = 0.7
    return Predictions(row.astype(np.int32), label.astype(np.int8), sure)


def world(
    label: np.ndarray, ours: np.ndarray, theirs: np.ndarray | None = None, *, synthetic: bool = False
) -> Evidence:
    """Evidence on test faces with these labels and predictions; `theirs` are those of a baseline named `old`."""
    n = TRAIN + VALIDATION + len(label)
    random = np.random.default_rng(0)
    emotion = np.concatenate([np.arange(TRAIN + VALIDATION) % len(LABELS), label]).astype(np.int8)
    pixels = random.integers(0, 256, (n, 4, 4), np.uint8)
    usage = np.repeat(np.array(["Training", "PublicTest", "PrivateTest"], object), [TRAIN, VALIDATION, len(label)])
    subset = np.repeat(np.array(["train", "validation", "test"], object), [TRAIN, VALIDATION, len(label)])
    row = np.arange(n, dtype=np.int32)
    faces, split = Faces(row, emotion, usage, pixels), Split(row, subset, np.full(n, "none", object))
    provenance = Provenance(
        source="made-up", layout="fer2013.csv", sha256="0", synthetic=synthetic, fingerprint=faces.fingerprint(),
        rows=n, labels={}, usages={},
    )  # fmt: skip
    evidence = Evidence(
        faces=faces, provenance=provenance, split=split, division=division(split, official()),
        predictions=predictions(row[-len(label) :], label, ours),
        cost=Cost(model_bytes=1e6, ms_per_face=1.0), baselines=(), hashes=(),
    )  # fmt: skip
    return evidence if theirs is None else replace(evidence, baselines=(baseline(evidence, theirs),))


def official() -> SplitParams:
    return PARAMS.split.model_copy(update={"strategy": "official", "leaks": "keep"})


def baseline(evidence: Evidence, theirs: np.ndarray, *, name: str = "old", summary: bool = False) -> Baseline:
    """A baseline measured where the candidate is; with `summary`, of unknown predictions."""
    seen = evidence.predictions
    record = Record(
        name=name, description="", source="", data=dataset(evidence.faces, evidence.provenance),
        split=evidence.division, figures=figures(seen.label, theirs), predictions_sha256=None,
    )  # fmt: skip
    return Baseline(record, "0" * 64, None if summary else predictions(seen.row, seen.label, theirs))
