"""The run of a sweep that is chosen: by validation accuracy, never by the test faces."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from flows.experiment import experiments, git
from flows.sweep.definition import Planned
from tasks.common import paths


def validation(root: Path, name: str) -> float:
    """Return the validation accuracy of an experiment."""
    metrics = yaml.safe_load(git(root, "show", f"{experiments(root)[name]}:{paths.TRAINING}"))
    return float(metrics["val_accuracy"])


def best_of(runs: Sequence[Planned], scores: Mapping[str, float]) -> Planned | None:
    """Return the run with the highest score, of several seeds the best one of the best mean; None without any."""
    groups: dict[str, list[float]] = {}
    for one in runs:
        if one.name in scores:
            groups.setdefault(one.group, []).append(scores[one.name])
    means = {group: sum(values) / len(values) for group, values in groups.items()}
    ended = (one for one in runs if one.name in scores)
    return max(ended, key=lambda one: (means[one.group], scores[one.name]), default=None)
