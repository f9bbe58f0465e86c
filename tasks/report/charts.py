"""The charts of the evaluation report, as Matplotlib figures for `tasks.report.page.svg`."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from model.labels import LABELS
from tasks.report.history import MEASURES, Curve
from tasks.report.page import MUTED, SERIES, bare
from tasks.scoring.scores import ReliabilityBin

_PARTS: Final = {"train": "training", "val": "validation"}


def label_chart(subsets: Mapping[str, np.ndarray]) -> Figure:
    """Draw the share of each label in each subset; `subsets` holds faces by label, int [7], by subset."""
    figure = Figure(figsize=(9, 3))
    axes = bare(figure.subplots())
    _grouped(axes, {name: counts / counts.sum() for name, counts in subsets.items()})
    axes.set_ylabel("share of the subset")
    axes.legend(ncols=len(subsets), loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def history_chart(curves: Sequence[Curve]) -> Figure:
    """Draw loss and accuracy by epoch."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
        for curve in (curve for curve in curves if curve.measure == measure):
            colour = SERIES[list(_PARTS).index(curve.part)]
            marker = "o" if len(curve.epochs) == 1 else None
            axes.plot(curve.epochs, curve.values, color=colour, marker=marker, label=_PARTS[curve.part])
        bare(axes).set(title=measure, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.lines:
            axes.legend()
    return figure


def by_label_chart(columns: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw precision, recall and F1 by label; `columns` holds for each measure figures, [7], by whose they are."""
    figure = Figure(figsize=(9, 2.2 * len(columns)), layout="constrained")
    panels = figure.subplots(len(columns), 1, sharex=True)
    for axes, (measure, series) in zip(panels, columns.items(), strict=True):
        _grouped(bare(axes), series)
        axes.set(ylabel=measure, ylim=(0, 1))
    handles, names = panels[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside upper right", ncols=len(names))
    return figure


def reliability_chart(bins: Sequence[ReliabilityBin]) -> Figure:
    """Draw accuracy against confidence, and under it how many faces have that confidence."""
    filled = [part for part in bins if part.count]
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bare(upper).plot([0, 1], [0, 1], color=MUTED, linestyle="--", label="calibrated")
    confidence, accuracy = [part.confidence for part in filled], [part.accuracy for part in filled]
    upper.plot(confidence, accuracy, color=SERIES[0], marker="o", label="network")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left")
    middles = [(part.lower + part.upper) / 2 for part in bins]
    bare(lower).bar(middles, [part.count for part in bins], width=0.9 / len(bins), color=SERIES[0])
    lower.set(xlabel="confidence", ylabel="faces")
    return figure


def confusion_chart(confusion: Sequence[Sequence[int]]) -> Figure:
    """Draw how many faces of each label, a row, were given each label; the shade is the share of the row."""
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6.4, 5.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        dark = shares[row, column] > 0.5
        axes.text(column, row, f"{count:,}", ha="center", va="center", color="white" if dark else "#111")
    axes.set(xlabel="label given", ylabel="true label")
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=30)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _grouped(axes: Axes, series: Mapping[str, np.ndarray]) -> None:
    """Draw bars by label, one colour a series."""
    width = 0.8 / len(series)
    places = np.arange(len(LABELS))
    for i, (name, values) in enumerate(series.items()):
        offset = (i - (len(series) - 1) / 2) * width
        axes.bar(places + offset, values, width * 0.92, color=SERIES[i], label=name)
    axes.set_xticks(places, LABELS)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
