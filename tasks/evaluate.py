"""Score the trained network on the test subset, and show it: `python -m tasks.evaluate`."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

import model.lean  # noqa: F401 - before anything that imports Keras
from model.devices import DeviceError, set_up
from model.inspecting.drawing import draw
from model.inspecting.explaining import grad_cam
from model.labels import LABELS
from model.predicting import NetworkError, load_network, milliseconds_per_face
from model.summary import describe, total
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import write_text
from tasks.common.params import Evaluate, Params
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import LEAKS, SUBSETS, Faces, Predictions, Split, read_faces, read_split, write_predictions
from tasks.predicting import predict_faces
from tasks.report.charts import confusion_chart, history_chart, reliability_chart
from tasks.report.evaluation import Background, Drawn, Evaluated, Explained, evaluation_report
from tasks.report.history import Curve, read_history
from tasks.report.page import svg_file
from tasks.report.published import read_published
from tasks.scoring.evaluation import Cost, Evaluation, Part, write_evaluation, write_headlines
from tasks.scoring.scores import Bootstrap, Scores, score

if TYPE_CHECKING:
    import keras


@command
def main() -> None:
    """Read faces, split and network; write predictions, scores, plots and the report."""
    params = load_params(paths.PARAMS)
    faces, split, provenance = read_faces(paths.FACES), read_split(paths.SPLIT), read_provenance(paths.PROVENANCE)
    test, leak = test_subset(faces, split)
    network, predictions, explained = look_at(test, params)
    cost = measure_cost(network, test, params.evaluate)
    evaluation = evaluate(predictions, leak, cost, params.evaluate, synthetic=provenance.synthetic)
    evaluated = Evaluated(evaluation, test, predictions, explained)
    write_results(evaluated)
    background = look_around(network, faces, split, synthetic=provenance.synthetic)
    write_text(paths.REPORT, evaluation_report(evaluated, background, params.evaluate))
    write_figures(evaluation.whole, background.history)
    for line in summary(evaluation):
        say(line)


def look_at(test: Faces, params: Params) -> tuple["keras.Model", Predictions, Explained]:
    """Return the trained network, what it says of the test faces, and where it looked in some of them.

    Raises:
        UserError: there is no network that takes these faces, or the device that trained it is not there.
    """
    try:
        set_up(params.train.device, mixed_precision=False, deterministic=params.train.deterministic)
        network = load_network(paths.MODEL)
        predictions = predict_faces(network, test, params.evaluate)
        return network, predictions, explain(network, test, predictions)
    except NetworkError as error:
        raise UserError(f"{paths.MODEL}: {error}; run `dvc repro train`") from error
    except DeviceError as error:
        raise UserError(str(error)) from error


def test_subset(faces: Faces, split: Split) -> tuple[Faces, np.ndarray]:
    """Return the test faces, and for each the copy that it has in training: str [n], a name of `LEAKS`.

    Raises:
        UserError: the split is of other faces, or has no test subset.
    """
    if not np.array_equal(faces.row, split.row):
        raise UserError(f"{paths.SPLIT}: its rows are not those of {paths.FACES}; run `dvc repro split`")
    index = split.index("test")
    if len(index) == 0:
        raise UserError(f"{paths.SPLIT}: found no test face, expected at least one; change split.strategy")
    return faces.take(index), split.leak[index]


def measure_cost(network: "keras.Model", test: Faces, params: Evaluate) -> Cost:
    """Return the size of the network and of its file, and its latency."""
    return Cost(
        parameters=network.count_params(),
        model_bytes=paths.MODEL.stat().st_size,
        ms_per_face=milliseconds_per_face(network, test.pixels[0], params.timing_repeats),
    )


def evaluate(
    predictions: Predictions, leak: np.ndarray, cost: Cost, params: Evaluate, *, synthetic: bool
) -> Evaluation:
    """Score the predictions: all of them, and those of faces without a copy in training.

    Args:
        predictions: of n faces, at least one.
        leak: str [n], each a name of `tasks.common.tables.LEAKS`.
        cost: of the network.
        params: bins and bootstrap.
        synthetic: whether the faces are drawn.
    """
    bootstrap = Bootstrap(params.resamples, params.confidence, params.seed)

    def scores(which: np.ndarray) -> Scores:
        label, probabilities = predictions.label[which], predictions.probabilities[which]
        return score(label, probabilities, bins=params.calibration_bins, bootstrap=bootstrap)

    right, clean = predictions.probabilities.argmax(axis=1) == predictions.label, leak == "none"
    return Evaluation(
        synthetic=synthetic,
        leaks={kind: Part(faces=int((leak == kind).sum()), right=int(right[leak == kind].sum())) for kind in LEAKS},
        whole=scores(np.ones(len(leak), bool)),
        without_leaks=scores(clean) if clean.any() else None,
        cost=cost,
    )


def explain(network: "keras.Model", test: Faces, predictions: Predictions) -> Explained:
    """Return where the network looked in the surest hit and the surest miss of each label."""
    said, confidence = predictions.probabilities.argmax(axis=1), predictions.probabilities.max(axis=1)
    chosen: list[int] = []
    for label in range(len(LABELS)):
        for hit in (True, False):
            candidates = np.flatnonzero((predictions.label == label) & ((said == label) == hit))
            chosen += candidates[np.argsort(-confidence[candidates], kind="stable")][:1].tolist()
    index = np.array(chosen)
    return Explained(index, grad_cam(network, test.pixels[index], said[index]))


def write_results(evaluated: Evaluated) -> None:
    """Write everything but the report."""
    write_predictions(paths.PREDICTIONS, evaluated.predictions)
    write_headlines(paths.SCORES, evaluated.evaluation)
    write_evaluation(paths.EVALUATION, evaluated.evaluation)
    write_text(paths.CONFUSION, confusion_csv(evaluated.predictions))
    write_text(paths.RELIABILITY, reliability_csv(evaluated.evaluation.whole))


def confusion_csv(predictions: Predictions) -> str:
    """Return one line a face with its true and its predicted label: what DVC's confusion template counts."""
    pairs = zip(predictions.label, predictions.probabilities.argmax(axis=1), strict=True)
    return _csv(("actual", "predicted"), ((LABELS[label], LABELS[said]) for label, said in pairs))


def reliability_csv(scores: Scores) -> str:
    """Return mean confidence, accuracy and number of the faces in each bin of confidence that has any."""
    filled = (part for part in scores.reliability if part.count)
    rows = ((f"{part.confidence:.6f}", f"{part.accuracy:.6f}", part.count) for part in filled)
    return _csv(("confidence", "accuracy", "count"), rows)


def _csv(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def look_around(network: "keras.Model", faces: Faces, split: Split, *, synthetic: bool) -> Background:
    """Return what the report tells beside the scores. Published figures mean nothing for drawn faces."""
    rows = describe(network)
    return Background(
        subsets={name: np.bincount(faces.emotion[split.index(name)], minlength=len(LABELS)) for name in SUBSETS},
        history=read_history(paths.HISTORY),
        published=None if synthetic else read_published(paths.BASELINES / "capstone.json"),
        network=Drawn(draw(rows), total(rows)),
    )


def write_figures(whole: Scores, history: Sequence[Curve]) -> None:
    """Write the charts that are shown outside the report too, as SVG files."""
    charts = {
        "confusion": confusion_chart(whole.confusion),
        "curves": history_chart(history),
        "reliability": reliability_chart(whole.reliability),
    }
    for name, chart in charts.items():
        write_text(paths.FIGURES / f"{name}.svg", svg_file(chart))


def summary(evaluation: Evaluation) -> list[str]:
    """Return what to say of an evaluation in the console."""
    parts = {"test faces": evaluation.whole, "of them without a copy in training": evaluation.without_leaks}
    lines = [
        f"{scores.faces:,} {what}: accuracy {scores.accuracy}, macro F1 {scores.macro_f1}"
        for what, scores in parts.items()
        if scores
    ]
    leaks, cost = evaluation.leaks, evaluation.cost
    if leaks["none"].faces < evaluation.whole.faces:
        lines.append(f"right with an exact copy in training: {leaks['exact']}, with a near one: {leaks['near']}")
    size = f"{cost.parameters:,} parameters, {cost.model_bytes / 1e6:.1f} MB, {cost.ms_per_face:.1f} ms a face"
    return [*lines, size, f"report: {paths.REPORT}"]


if __name__ == "__main__":
    main()
