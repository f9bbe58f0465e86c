"""Runs for the tests of the leaderboard, made up and random but always the same."""

from typing import Any

import numpy as np

from tasks.leaderboard.runs import Cost, Run, Tested
from tasks.report.history import Curve

PARAMS: dict[str, Any] = {
    "train.epochs": 30,
    "train.batch_size": 64,
    "train.learning_rate": 0.0001,
    "train.optimizer": "adam",
    "train.seed": 42,
    "augment.flip": False,
    "model.filters": None,
}


def a_run(name: str, changed: dict[str, Any] | None = None, **figures: Any) -> Run:
    """Return a run that changed these parameters, with plausible figures where none are given."""
    random = np.random.default_rng(sum(name.encode()))
    accuracy = figures.setdefault("val_accuracy", round(float(random.uniform(0.4, 0.68)), 4))
    changed = changed or {}
    params = PARAMS | changed
    seconds = 25.0 * params["train.epochs"] * (64 / params["train.batch_size"]) ** 0.5
    cost = Cost("NVIDIA H100", seconds, seconds / 3600, 28_700 * 30 / 25, 2_100.0, 5_400.0)
    defaults = {
        "commit": f"{sum(name.encode()):040x}",
        "parent": "86495a1b34efdf984a1688eda90da252e70a2f83",
        "val_macro_f1": accuracy - 0.06 if accuracy else None,
        "val_faces": 3_230,
        "cost": cost,
        "curves": curves(params["train.epochs"], accuracy or 0.5, random),
    }
    return Run(name=name, params=params, changed=frozenset(changed), **{**defaults, **figures})


def curves(epochs: int, best: float, random: np.random.Generator) -> tuple[Curve, ...]:
    """Return the course of a validation accuracy that comes near to `best`."""
    steps = np.arange(1, epochs + 1)
    values = best * (1 - 0.7 * np.exp(-4 * steps / epochs)) + random.normal(0, 0.006, epochs)
    return (Curve("val", "accuracy", tuple(steps.tolist()), tuple(values.tolist())),)


def scored(accuracy: float) -> Tested:
    """Return scores on the test faces."""
    return Tested(
        accuracy, accuracy - 0.07, (accuracy - 0.016, accuracy + 0.016), "promote" if accuracy > 0.62 else "reject"
    )


def capstone(**figures: Any) -> list[Run]:
    """Return a dozen runs as the capstone made them: some scored, some with published figures, one in three seeds."""
    rows: list[tuple[str, dict[str, Any], float | None, float | None]] = [
        ("baseline", {}, 0.581, 0.569),
        ("sgd", {"train.optimizer": "sgd"}, 0.341, 0.335),
        ("epochs-50", {"train.epochs": 50}, None, None),
        ("epochs-75", {"train.epochs": 75}, 0.611, 0.607),
        ("batch-32", {"train.epochs": 60, "train.batch_size": 32}, None, None),
        ("batch-16", {"train.epochs": 60, "train.batch_size": 16}, None, 0.611),
        ("batch-8", {"train.epochs": 60, "train.batch_size": 8}, None, None),
        ("rate-0_0002", {"train.epochs": 60, "train.batch_size": 16, "train.learning_rate": 0.0002}, 0.628, 0.617),
        ("rate-0_002", {"train.epochs": 60, "train.batch_size": 16, "train.learning_rate": 0.002}, None, None),
    ]
    made = []
    for name, changed, test, theirs in rows:
        accuracy = (test or 0.56 + len(changed) / 50) + 0.008
        how = {"val_accuracy": accuracy, "test": scored(test) if test else None, "published": theirs, **figures}
        made.append(a_run(f"capstone-{name}", changed, **how))
    for seed, accuracy in enumerate((0.622, 0.631, 0.627), 1):
        changed = {"train.optimizer": "nesterov", "train.learning_rate": 0.05, "train.seed": seed, "augment.flip": True}
        made.append(a_run(f"capstone-modern-s{seed}", changed, **{"val_accuracy": accuracy, **figures}))
    return made
