"""From what lies there to a verdict, without reading or writing a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.labels import LABELS
from tasks.common.params import Gate
from tasks.common.provenance import Provenance
from tasks.common.tables import Faces, Predictions, Split
from tasks.gate.baselines import Baseline, Division
from tasks.gate.checks import Limit, ceiling, floor, gains, harms, leaked
from tasks.gate.comparison import Comparison, against_summary, paired
from tasks.gate.integrity import integrity
from tasks.gate.matching import Measured, choose, dataset, mismatches
from tasks.gate.ridge import decisions, fit_ridge
from tasks.gate.verdict import SYNTHETIC, Check, Decision, Hash, Verdict, decide
from tasks.scoring.scores import Bootstrap, calibration_error


@dataclass(frozen=True)
class Cost:
    """What the network takes; None where it was not measured."""

    model_bytes: float | None
    ms_per_face: float | None


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on."""

    faces: Faces
    provenance: Provenance
    split: Split
    division: Division
    predictions: Predictions
    cost: Cost
    baselines: tuple[Baseline, ...]
    hashes: tuple[Hash, ...]
    """Of model, predictions, data and split; the baseline's is added when it is chosen."""


def judge(evidence: Evidence, params: Gate, *, bins: int) -> Verdict:
    """Judge a candidate.

    Predictions that are not sound are rejected, whatever else there is. Where no baseline fits, the verdict is "not
    comparable", whatever the other checks say. Otherwise it follows from all checks.

    Args:
        evidence: what is known of the candidate, and the baselines.
        params: the thresholds.
        bins: equal-width bins of confidence for the calibration error, as in the evaluation.
    """
    checks = integrity(evidence.predictions, evidence.split, evidence.faces, evidence.provenance)
    if any(check.outcome == "fail" for check in checks):
        return _verdict(evidence, checks, "reject", None, [])
    checks += _alone(evidence, params, bins)
    measured = _measured(evidence)
    faults = {baseline.record.name: mismatches(baseline, measured) for baseline in evidence.baselines}
    matching = [baseline for baseline in evidence.baselines if not faults[baseline.record.name]]
    if not matching:
        return _verdict(evidence, checks, "not comparable", None, _no_fit(faults))
    baseline = choose(matching)
    comparison = _compare(evidence.predictions, baseline, params)
    checks += gains(comparison, baseline.record.name, params) + harms(comparison.labels, params)
    return _verdict(evidence, checks, decide(checks), baseline, _choice(matching, baseline))


def _measured(evidence: Evidence) -> Measured:
    test = evidence.split.index("test")
    return Measured(
        dataset(evidence.faces, evidence.provenance),
        evidence.division,
        evidence.faces.row[test],
        evidence.faces.emotion[test],
    )


def _alone(evidence: Evidence, params: Gate, bins: int) -> list[Check]:
    """Make the checks that need no baseline."""
    label, probabilities = evidence.predictions.label, evidence.predictions.probabilities
    correct = probabilities.argmax(axis=1) == label
    miscalibrated = calibration_error(label, probabilities, bins=bins)
    test = evidence.split.index("test")
    size = evidence.cost.model_bytes
    return [
        *_floors(evidence, float(correct.mean()), params),
        leaked(correct, evidence.split.leak[test] != "none"),
        ceiling("calibration error", miscalibrated, Limit("max_ece", params.max_ece)),
        ceiling(
            "model size", None if size is None else size / 1e6, Limit("max_megabytes", params.max_megabytes), " MB"
        ),
        ceiling("time per face", evidence.cost.ms_per_face, Limit("max_ms_per_face", params.max_ms_per_face), " ms"),
    ]


def _floors(evidence: Evidence, accuracy: float, params: Gate) -> list[Check]:
    faces = evidence.faces
    train, test = faces.take(evidence.split.index("train")), faces.take(evidence.split.index("test"))
    most = int(np.bincount(train.emotion, minlength=len(LABELS)).argmax())
    ridge = fit_ridge(train.pixels, train.emotion, alpha=params.ridge_alpha, most=params.ridge_faces)
    majority = float((test.emotion == most).mean())
    linear = float((decisions(ridge, test.pixels).argmax(axis=1) == test.emotion).mean())
    return [
        floor("accuracy floor", accuracy, 0, Limit("min_accuracy", params.min_accuracy), "gate.min_accuracy"),
        floor(
            "majority floor",
            accuracy,
            majority,
            Limit("min_above_majority", params.min_above_majority),
            f"always saying {LABELS[most]}, plus gate.min_above_majority",
        ),
        floor(
            "ridge floor",
            accuracy,
            linear,
            Limit("min_above_ridge", params.min_above_ridge),
            "a ridge classifier on the pixels, plus gate.min_above_ridge",
        ),
    ]


def _compare(predictions: Predictions, baseline: Baseline, params: Gate) -> Comparison:
    ours = predictions.probabilities.argmax(axis=1)
    if baseline.predictions is not None:
        theirs = baseline.predictions.probabilities.argmax(axis=1)
        return paired(predictions.label, ours, theirs, _bootstrap(params))
    return against_summary(predictions.label, ours, baseline.record.figures.summary(), _bootstrap(params))


def _bootstrap(params: Gate) -> Bootstrap:
    return Bootstrap(params.resamples, params.confidence, params.seed)


def _no_fit(faults: Mapping[str, Sequence[str]]) -> list[str]:
    if not faults:
        return ["There is no baseline in baseline/; make one with `python -m tasks.gate.linear NAME`."]
    return [
        "No baseline was measured on these faces and this split.",
        *(f"{name} does not fit: {'; '.join(reasons)}." for name, reasons in faults.items()),
    ]


def _choice(matching: Sequence[Baseline], chosen: Baseline) -> list[str]:
    if len(matching) == 1:
        return []
    names = ", ".join(baseline.record.name for baseline in matching)
    return [
        f"{len(matching)} baselines fit ({names}): {chosen.record.name} is taken, for a baseline with predictions goes "
        "before one without, and then the higher accuracy."
    ]


def _verdict(
    evidence: Evidence, checks: Sequence[Check], decision: Decision, baseline: Baseline | None, reasons: Sequence[str]
) -> Verdict:
    """Add to the reasons the sentences of the checks that decided, and of those that everybody should read."""
    decisive = {"promote": ("warning",), "inconclusive": ("inconclusive", "warning")}.get(decision, ("fail", "warning"))
    said = [check.sentence for outcome in decisive for check in checks if check.outcome == outcome]
    if decision == "promote":
        said.insert(0, next(check.sentence for check in checks if check.name == "accuracy gain"))
    if evidence.provenance.synthetic:
        said.append(SYNTHETIC)
    hashes = evidence.hashes
    if baseline is not None:
        hashes += (Hash(of="baseline", sha256=baseline.sha256),)
    return Verdict(
        verdict=decision,
        baseline_name=None if baseline is None else baseline.record.name,
        synthetic=evidence.provenance.synthetic,
        reasons=(*reasons, *said),
        checks=tuple(checks),
        hashes=hashes,
    )
