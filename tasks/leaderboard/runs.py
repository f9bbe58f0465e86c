"""Runs and groups of runs: what was changed, what came of it, how sure that is."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from tasks.leaderboard.figures import Figure, over_seeds, wilson
from tasks.report.history import Curve

SEED: Final = "train.seed"
"""The one parameter in which the runs of a group differ."""

_SEEDED: Final = re.compile(r"(.+)-s\d+")


@dataclass(frozen=True)
class Cost:
    """What a training took; None for what was not measured."""

    device: str | None = None
    seconds: float | None = None
    gpu_hours: float | None = None
    faces_per_second: float | None = None
    peak_memory_mb: float | None = None
    peak_gpu_memory_mb: float | None = None


@dataclass(frozen=True)
class Tested:
    """What a run's own network did on the test faces.

    Attributes:
        accuracy: 0 to 1.
        macro_f1: 0 to 1.
        interval: of the accuracy, as the evaluation drew it; None where it can't be read.
        verdict: of the gate on this very network; None where it did not judge it.
    """

    accuracy: float
    macro_f1: float | None = None
    interval: tuple[float, float] | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class Run:
    """One experiment; what it lacks is None.

    Attributes:
        name: of the experiment.
        commit: of the experiment, in full.
        parent: the commit that it started from, in full.
        params: every parameter, by its dotted name.
        changed: names of those that differ from the parent commit's.
        val_accuracy: of the best epoch, on the validation faces.
        val_macro_f1: the same network's.
        val_faces: how many validation faces there are.
        test: None where its own network never saw the test faces.
        cost: of its training.
        curves: loss and accuracy by epoch; empty where they can't be read.
        published: accuracy that somebody else measured with these parameters, on the test faces.
        synthetic: the faces are drawn.
    """

    name: str
    commit: str
    parent: str
    params: Mapping[str, Any]
    changed: frozenset[str] = frozenset()
    val_accuracy: float | None = None
    val_macro_f1: float | None = None
    val_faces: int | None = None
    test: Tested | None = None
    cost: Cost = Cost()
    curves: tuple[Curve, ...] = ()
    published: float | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Entry:
    """A line of the leaderboard: one run, or several that differ in their seed alone.

    Attributes:
        name: of the run, or what the runs are called without their seed.
        runs: at least one.
    """

    name: str
    runs: tuple[Run, ...]

    @cached_property
    def val_accuracy(self) -> Figure | None:
        """On the validation faces: of one run with Wilson's interval, of several with that of their mean."""
        if len(self.runs) > 1:
            return self._mean(lambda run: run.val_accuracy)
        run = self.runs[0]
        if run.val_accuracy is None:
            return None
        interval = wilson(run.val_accuracy, run.val_faces) if run.val_faces else None
        return Figure(run.val_accuracy, interval=interval)

    @cached_property
    def val_macro_f1(self) -> Figure | None:
        """On the validation faces."""
        return self._mean(lambda run: run.val_macro_f1)

    @cached_property
    def test_accuracy(self) -> Figure | None:
        """Of those that were scored on the test faces."""
        if len(self.runs) > 1:
            return self._mean(lambda run: run.test.accuracy if run.test else None)
        test = self.runs[0].test
        return Figure(test.accuracy, interval=test.interval) if test else None

    @cached_property
    def test_macro_f1(self) -> Figure | None:
        """Of those that were scored on the test faces."""
        return self._mean(lambda run: run.test.macro_f1 if run.test else None)

    @property
    def published(self) -> float | None:
        """What somebody else measured."""
        return next((run.published for run in self.runs if run.published is not None), None)

    @property
    def verdict(self) -> str:
        """What the gate said; empty where it was not asked."""
        return ", ".join(sorted({run.test.verdict for run in self.runs if run.test and run.test.verdict}))

    @property
    def device(self) -> str:
        """What trained; empty where nothing says so."""
        return ", ".join(sorted({run.cost.device for run in self.runs if run.cost.device}))

    def cost(self, name: str) -> float | None:
        """Return a figure of `Cost`; of several runs, their mean."""
        known = [float(figure) for run in self.runs if (figure := getattr(run.cost, name)) is not None]
        return float(np.mean(known)) if known else None

    @property
    def minutes(self) -> float | None:
        """How long a training took; of several, their mean."""
        seconds = self.cost("seconds")
        return None if seconds is None else seconds / 60

    def _mean(self, of: Callable[[Run], float | None]) -> Figure | None:
        known = [figure for run in self.runs if (figure := of(run)) is not None]
        return over_seeds(known) if known else None


def grouped(runs: Sequence[Run]) -> list[Entry]:
    """Return the runs as lines: those that are called `NAME`, `NAME-s1`, `NAME-s2` … as one.

    The runs of a group started from one commit, have a seed each, and differ in nothing else.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        others = {name: value for name, value in run.params.items() if name != SEED}
        key = json.dumps([base_name(run.name), run.parent, others], sort_keys=True, default=str)
        known = groups.setdefault(key, [])
        if run.params.get(SEED) in {one.params.get(SEED) for one in known}:
            groups[f"{key} {run.commit}"] = [run]
        else:
            known.append(run)
    return [_entry(members) for members in groups.values()]


def base_name(name: str) -> str:
    """Return what a run is called without its seed."""
    seeded = _SEEDED.fullmatch(name)
    return seeded[1] if seeded else name


def of_sweep(name: str, sweep: str, sweeps: Sequence[str]) -> bool:
    """Return whether an experiment is a run of a sweep; of the names in `sweeps`, `a-b-1` is of `a-b`, not `a`."""
    owners = [one for one in {*sweeps, sweep} if name.startswith(f"{one}-")]
    return max(owners, key=len, default=None) == sweep


def ranked(entries: Sequence[Entry], by: str = "accuracy") -> list[Entry]:
    """Return the lines, best first: by validation `accuracy`, or by `cost`, the minutes; those without come last."""

    def key(entry: Entry) -> tuple[float, float, str]:
        accuracy = -entry.val_accuracy.value if entry.val_accuracy else math.inf
        minutes = math.inf if entry.minutes is None else entry.minutes
        return (minutes, accuracy, entry.name) if by == "cost" else (accuracy, minutes, entry.name)

    return sorted(entries, key=key)


def varying(runs: Sequence[Run]) -> list[str]:
    """Return the names of the parameters in which the runs differ; of one run alone, those that it changed."""
    if len(runs) == 1:
        return sorted(runs[0].changed)
    return [name for name in sorted({name for run in runs for name in run.params}) if len(_values(name, runs)) > 1]


def changes(entry: Entry, runs: Sequence[Run]) -> list[str]:
    """Return what a line changed of the commit that it started from, as `name=value`, where the shown runs differ.

    Where the runs started from commits that differ in a parameter, that parameter is given for each.
    """
    first, shown = entry.runs[0], []
    for name in varying(runs):
        kept = _values(name, [run for run in runs if name not in run.changed])
        everywhere = len(_values(name, entry.runs)) == 1  # but for the seed, in a group
        if name in first.params and everywhere and (name in first.changed or len(kept) > 1):
            shown.append(f"{name}={value_text(first.params.get(name))}")
    return shown


def _values(name: str, runs: Sequence[Run]) -> set[str]:
    """Return the different values that a parameter has."""
    return {json.dumps(run.params.get(name), default=str) for run in runs}


def value_text(value: Any, most: int = 24) -> str:
    """Return a parameter's value as `params.yaml` has it, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return text if len(text) <= most else text[: most - 1] + "…"


def _entry(members: Sequence[Run]) -> Entry:
    if len(members) == 1:
        return Entry(members[0].name, tuple(members))
    by_seed = sorted(members, key=lambda run: (run.params.get(SEED) is None, run.params.get(SEED)))
    return Entry(base_name(members[0].name), tuple(by_seed))
