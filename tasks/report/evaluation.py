"""The report on an evaluated network: one page with the figures that a reader wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from model.labels import LABELS
from tasks.common.params import Evaluate
from tasks.common.tables import Faces, Predictions
from tasks.report.charts import by_label_chart, history_chart, label_chart, reliability_chart
from tasks.report.history import Curve
from tasks.report.page import Html, contact_sheet, figure, page, paragraph, section, svg, table
from tasks.report.pictures import confusion_table, heated_faces
from tasks.report.published import Published
from tasks.scoring.evaluation import Evaluation
from tasks.scoring.scores import HEADLINES, NAMES, Estimate, Scores
from tasks.scoring.views import views

if TYPE_CHECKING:
    from model.summary import Totals  # imports Keras, which a page does not need

_BY_LABEL: Final = {"precision": "precision", "recall": "recall", "f1": "F1"}


@dataclass(frozen=True)
class Explained:
    """Faces with the places that spoke for what the network said of them.

    Attributes:
        index: int64 [k], positions among the test faces.
        heat: float32 [k, side, side], 0 to 1.
    """

    index: np.ndarray
    heat: np.ndarray


@dataclass(frozen=True)
class Evaluated:
    """What the network did on the test faces.

    Attributes:
        evaluation: its scores.
        faces: the test subset.
        predictions: of those faces, in that order.
        explained: a few of them.
    """

    evaluation: Evaluation
    faces: Faces
    predictions: Predictions
    explained: Explained


@dataclass(frozen=True)
class Drawn:
    """The network as SVG, and its sums."""

    svg: str
    totals: "Totals"


@dataclass(frozen=True)
class Background:
    """What else a reader wants to see.

    Attributes:
        subsets: faces by label, int [7], by subset.
        history: curves of the training; empty where there are none.
        published: figures to set beside; None where there are none, or none that mean anything for these faces.
        network: drawn.
    """

    subsets: Mapping[str, np.ndarray]
    history: Sequence[Curve]
    published: Published | None
    network: Drawn


def evaluation_report(evaluated: Evaluated, background: Background, params: Evaluate) -> str:
    """Return the report as one HTML page; what is equal gives an equal page, however long the network took."""
    evaluation = evaluated.evaluation
    body = [
        section("Scores", *_headlines(evaluation, background, params)),
        section("Each label", *_each_label(evaluation.whole, background)),
        section("What is taken for what", *_confusion(evaluation.whole)),
        section("Calibration", *_calibration(evaluation.whole)),
        section("The most confident mistakes", *_mistakes(evaluated, params.mistakes)),
        section("Where the network looked", *_explained(evaluated)),
        section("Training", *_training(background.history)),
        section("Faces by label", *_labels(background.subsets)),
        section("The network", *_network(background.network)),
    ]
    synthetic = "Drawn faces: the figures say nothing of FER2013." if evaluation.synthetic else None
    return page("Evaluation", "\n".join(body), synthetic)


def _headlines(evaluation: Evaluation, background: Background, params: Evaluate) -> list[str]:
    whole, clean, leaks = evaluation.whole, evaluation.without_leaks, evaluation.leaks
    header = ["", f"all {whole.faces:,} test faces", f"the {leaks['none'].faces:,} without a copy in training"]
    rows = [[NAMES[name], _estimate(whole, name), _estimate(clean, name)] for name in HEADLINES]
    if background.published:
        header.append(background.published.title(background.subsets))
        figures = background.published.figures.model_dump()
        for name, row in zip(HEADLINES, rows, strict=True):
            row.append(f"{figures[name]:.3f}" if name in figures else "–")
    largest = max(whole.labels, key=lambda label: label.support)
    return [
        table(header, rows, numeric=range(1, len(header))),
        paragraph(
            f"↓: lower is better. In brackets, the middle {params.confidence:.0%} of bootstrap draws of the test "
            f"faces; they don't cover what another training run would give. {views(params)}",
            soft=True,
        ),
        paragraph(
            f"{leaks['exact'].faces:,} test faces have an exact copy in training, {leaks['near'].faces:,} a near one; "
            f"named right: {leaks['exact']} with an exact copy, {leaks['near']} with a near one. Saying "
            f"“{largest.name}” of every face would reach an accuracy of {largest.support / whole.faces:.3f}."
        ),
    ]


def _estimate(scores: Scores | None, name: str) -> str:
    if scores is None:
        return "–"
    estimate: Estimate = getattr(scores, name)
    return Html(f'<b>{estimate.value:.3f}</b> <span class="soft">[{estimate.low:.3f}, {estimate.high:.3f}]</span>')


def _each_label(whole: Scores, background: Background) -> list[str]:
    published = background.published
    rows = [
        [row.name, f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}", f"{row.support:,}"]
        for row in (*whole.labels, whole.macro, whole.weighted)
    ]
    measures = {}
    for measure, name in _BY_LABEL.items():
        measures[name] = {"this network": np.array([getattr(row, measure) for row in whole.labels])}
        if published:
            measures[name][published.title(background.subsets)] = published.by_label(measure)
    beside = f", beside the published figures of {published.title(background.subsets)}" if published else ""
    return [
        table(["label", "precision", "recall", "F1", "support"], rows, numeric=range(1, 5)),
        figure(svg(by_label_chart(measures)), f"Precision, recall and F1 of each label{beside}."),
    ]


def _confusion(whole: Scores) -> list[str]:
    caption = "Of the faces that bear a label (a row), the share and the number that the network gave each label."
    return [confusion_table(whole.confusion), paragraph(caption, soft=True)]


def _calibration(whole: Scores) -> list[str]:
    caption = (
        "Accuracy of the faces of like confidence, and how many they are. Below the dashed line the network is surer "
        "than it is right."
    )
    return [f'<div style="max-width:600px">{figure(svg(reliability_chart(whole.reliability)), caption)}</div>']


def _mistakes(evaluated: Evaluated, most: int) -> list[str]:
    predictions, faces = evaluated.predictions, evaluated.faces
    said, confidence = predictions.probabilities.argmax(axis=1), predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(said != predictions.label)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    sheet = contact_sheet((faces.pixels[i], Html("<br>".join(_caption(predictions, i)))) for i in worst)
    lead = (
        f"{len(wrong):,} of {len(predictions):,} test faces are given a wrong label; of these the network was surest. "
        "Under each stands what it said and how surely, and the true label."
    )
    return [paragraph(lead), sheet]


def _caption(predictions: Predictions, face: int) -> tuple[str, str, str]:
    """Return three short lines: what the network said and how surely, what is true, and the row of the data."""
    probabilities = predictions.probabilities[face]
    return (
        f"{LABELS[probabilities.argmax()]} {probabilities.max():.0%}",
        f"true: {LABELS[predictions.label[face]]}",
        f"row {predictions.row[face]:,}",
    )


def _explained(evaluated: Evaluated) -> list[str]:
    explained, faces, predictions = evaluated.explained, evaluated.faces, evaluated.predictions
    cells = (
        (faces.pixels[i], heat, ", ".join(_caption(predictions, i)))
        for i, heat in zip(explained.index, explained.heat, strict=True)
    )
    lead = (
        "Of each label the surest hit and the surest miss; bright is what spoke for the label that the network said "
        "(Grad-CAM, Selvaraju et al. 2017)."
    )
    return [paragraph(lead), heated_faces(cells)]


def _training(history: Sequence[Curve]) -> list[str]:
    if not history:
        return [paragraph("There is no history of the training: the network came as it is.")]
    return [figure(svg(history_chart(history)), "Loss and accuracy of training and validation by epoch.")]


def _labels(subsets: Mapping[str, np.ndarray]) -> list[str]:
    filled = {name: counts for name, counts in subsets.items() if counts.any()}
    rows = [[name, *(f"{count:,}" for count in counts), f"{counts.sum():,}"] for name, counts in filled.items()]
    return [
        figure(svg(label_chart(filled)), "Share of each label in each subset."),
        table(["subset", *LABELS, "all"], rows, numeric=range(1, len(LABELS) + 2)),
    ]


def _network(network: Drawn) -> list[str]:
    totals = network.totals
    caption = (
        f"{totals.parameters:,} parameters, of them {totals.trainable:,} trainable and {totals.non_trainable:,} not; "
        f"{totals.multiply_adds:,} multiply-adds a face."
    )
    return [figure(Html(network.svg), caption)]
