"""The checks of a sound candidate: floors, comparison, harm to a label, calibration, budgets.

A threshold of null is no threshold, and without one there is no promotion: the check is inconclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.params import Gate
from tasks.gate.comparison import Comparison, Difference, Discordance, LabelChange, holm
from tasks.gate.verdict import Check, Outcome


@dataclass(frozen=True)
class Limit:
    """A threshold, or None, and the parameter that sets it."""

    parameter: str
    value: float | None


def floor(name: str, accuracy: float, base: float, limit: Limit, what: str) -> Check:
    """Check that accuracy lies above `base` by more than the limit; `what` names the two in the sentence."""
    if limit.value is None:
        return _no_threshold(name, limit, accuracy)
    least = base + limit.value
    above = accuracy > least
    return Check(
        name=name,
        outcome="pass" if above else "fail",
        figure=accuracy,
        threshold=least,
        sentence=f"Accuracy {accuracy:.3f} {_lies(above)} above {least:.3f} ({what}).",
    )


def ceiling(name: str, figure: float | None, limit: Limit, unit: str = "") -> Check:
    """Check that a figure is at most its limit; a figure that is not there fails."""
    if figure is None:
        sentence = f"The {name} was not measured; run `dvc repro evaluate`."
        return Check(name=name, outcome="fail", threshold=limit.value, sentence=sentence)
    if limit.value is None:
        return _no_threshold(name, limit, figure)
    within = figure <= limit.value
    return Check(
        name=name,
        outcome="pass" if within else "fail",
        figure=figure,
        threshold=limit.value,
        sentence=(
            f"The {name} is {figure:.3g}{unit}, {'within' if within else 'over'} the limit of {limit.value:.3g}{unit}."
        ),
    )


def gains(comparison: Comparison, baseline: str, params: Gate) -> list[Check]:
    """Check that the candidate is better than the baseline in accuracy, beyond chance, and no worse in macro F1."""
    loss = params.max_macro_f1_loss
    against = f"{baseline} ({params.confidence:.0%} interval"
    return [
        _gain("accuracy", comparison.accuracy, Limit("min_gain", params.min_gain), against),
        _discordance(comparison.discordance, baseline, 1 - params.confidence),
        _gain("macro F1", comparison.macro_f1, Limit("max_macro_f1_loss", None if loss is None else -loss), against),
    ]


def harms(changes: Sequence[LabelChange], params: Gate) -> list[Check]:
    """Check that no label is worse off, Holm-corrected over the labels that have faces enough.

    A label is harmed where fewer of its faces are found (beyond chance, and by more than `max_label_loss`) and its F1
    falls as well. Fewer faces found at an F1 that holds is a trade of recall for precision: a warning. Wrong alarms
    of a label need no test of their own, for each is a face that another label lost.
    """
    tested = np.array([change.support >= params.min_support for change in changes])
    corrected = np.full(len(changes), np.nan)
    corrected[tested] = holm(np.array([change.p for change in changes])[tested])
    return [_harm(change, p, params) for change, p in zip(changes, corrected.tolist(), strict=True)]


def leaked(correct: np.ndarray, has_copy: np.ndarray) -> Check:
    """Say what accuracy is without the test faces that have a copy in training.

    Args:
        correct: bool [n], where the candidate is right.
        has_copy: bool [n], where a copy of the face stands in the training subset.
    """
    name, copies = "without leaked faces", int(has_copy.sum())
    if copies == 0:
        return Check(name=name, outcome="not applicable", sentence="No test face has a copy in the training subset.")
    said = f"{copies:,} of {len(correct):,} test faces have a copy in the training subset"
    if copies == len(correct):
        return Check(name=name, outcome="warning", sentence=f"All {said}.")
    accuracy = float(correct[~has_copy].mean())
    sentence = f"{said}; accuracy is {accuracy:.3f} without them and {correct.mean():.3f} with them."
    return Check(name=name, outcome="warning", figure=accuracy, sentence=sentence)


def _lies(above: bool) -> str:
    return "lies" if above else "does not lie"


def _no_threshold(name: str, limit: Limit, figure: float | None) -> Check:
    sentence = f"gate.{limit.parameter} is null, and without a threshold there is no promotion."
    return Check(name=name, outcome="inconclusive", figure=figure, sentence=sentence)


def _gain(measure: str, difference: Difference, limit: Limit, against: str) -> Check:
    """Hold the interval of a difference against a limit; the figure is the interval's lower end."""
    name, low, high = f"{measure} gain", difference.low, difference.high
    if limit.value is None:
        return _no_threshold(name, limit, low)
    above = low > limit.value
    outcome: Outcome = "pass" if above else ("fail" if high < limit.value else "inconclusive")
    sentence = (
        f"The {measure} is {difference.ours:.3f}, {difference.value:+.3f} from the {difference.theirs:.3f} "
        f"of {against} {low:+.3f} to {high:+.3f}); the lower end {_lies(above)} above {limit.value:+.3f}."
    )
    return Check(name=name, outcome=outcome, figure=low, threshold=limit.value, sentence=sentence)


def _discordance(discordance: Discordance | None, baseline: str, level: float) -> Check:
    name = "McNemar's p"
    if discordance is None:
        return Check(
            name=name, outcome="not applicable", sentence=f"The predictions of {baseline} face by face are not known."
        )
    won, lost, p = discordance.won, discordance.lost, discordance.p
    outcome: Outcome = "inconclusive"
    if p <= level:
        outcome = "pass" if won > lost else "fail"
    sentence = f"{won:,} faces are right that {baseline} has wrong, and {lost:,} the other way round (p = {p:.2g})."
    return Check(name=name, outcome=outcome, figure=p, threshold=level, sentence=sentence)


def _harm(change: LabelChange, p: float, params: Gate) -> Check:
    name, limit = f"harm to {change.name}", params.max_label_loss
    recall, f1 = change.recall[0] - change.recall[1], change.f1[0] - change.f1[1]
    said = (
        f"{change.name.capitalize()}: recall {change.recall[0]:.3f} against {change.recall[1]:.3f}, "
        f"F1 {change.f1[0]:.3f} against {change.f1[1]:.3f}"
    )
    if change.support < params.min_support:
        sentence = f"{said}; {change.support} faces are too few to judge by (gate.min_support: {params.min_support})."
        return Check(name=name, outcome="not applicable", figure=recall, sentence=sentence)
    if limit is None:
        return _no_threshold(name, Limit("max_label_loss", limit), recall)
    certain = p <= params.harm_level
    outcome: Outcome = "pass"
    if -recall > limit:
        outcome = "fail" if certain and f1 < 0 else "warning"
    sentence = f"{said} (Holm-corrected p = {p:.2g} of a loss by chance)."
    return Check(name=name, outcome=outcome, figure=recall, threshold=-limit, sentence=sentence)
