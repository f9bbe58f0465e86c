"""The charts of the leaderboard, as Matplotlib figures for `tasks.report.page.svg`."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from tasks.leaderboard.runs import Entry, value_text
from tasks.report.page import MUTED, SERIES, bare

LABELLED: Final = 12
"""Most runs that have a name in a chart, the best ones."""

AXES: Final = 8
"""Most parameters that stand beside each other."""

WIDE: Final = 10.0
"""Figures that span more than this factor are drawn on a logarithmic axis."""

_SCALE: Final = LinearSegmentedColormap.from_list("accuracy", [SERIES[5], SERIES[3], SERIES[1]])


_SIDES: Final = (
    ((7, 0), "left", "center"),
    ((0, 6), "center", "bottom"),
    ((-7, 0), "right", "center"),
    ((0, -6), "center", "top"),
    ((5, 5), "left", "bottom"),
    ((5, -5), "left", "top"),
)
"""Where a name may stand beside its point."""


@dataclass(frozen=True)
class Axis:
    """One parameter of the parallel coordinates.

    Attributes:
        name: of the parameter.
        places: float [entries], 0 to 1.
        ticks: places and what stands there.
    """

    name: str
    places: np.ndarray
    ticks: tuple[tuple[float, str], ...]


def cost_chart(entries: Sequence[Entry]) -> Figure:
    """Draw validation accuracy against minutes; `entries` have both."""
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = bare(figure.subplots())
    minutes = [entry.minutes or 0.0 for entry in entries]
    figures = [entry.val_accuracy for entry in entries if entry.val_accuracy]
    accuracy = [one.value for one in figures]
    low, high = zip(*(one.interval or (np.nan, np.nan) for one in figures), strict=True)
    axes.vlines(minutes, low, high, color=MUTED, alpha=0.45, linewidth=1)
    front = _front(minutes, accuracy)
    axes.step([minutes[i] for i in front], [accuracy[i] for i in front], where="post", color=SERIES[0], alpha=0.5)
    colours = [SERIES[0] if i in front else MUTED for i in range(len(entries))]
    axes.scatter(minutes, accuracy, s=36, color=colours, zorder=3)
    if min(minutes) > 0 and max(minutes) > WIDE * min(minutes):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12, y=0.1)
    axes.set(xlabel="minutes of training", ylabel="validation accuracy")
    order = sorted(range(len(entries)), key=lambda i: (i not in front, -accuracy[i]))
    named = {*front, *order[:LABELLED]}
    steps = [(minutes[i], accuracy[i], minutes[j]) for i, j in itertools.pairwise(front)]
    _label(figure, axes, steps, [(minutes[i], accuracy[i], entries[i].name if i in named else "") for i in order])
    return figure


def curves_chart(entries: Sequence[Entry]) -> Figure:
    """Draw validation accuracy by epoch; `entries` come best first, and the best of them have a colour and a name."""
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = bare(figure.subplots())
    named = [entry for entry in entries if _val_curves(entry)]
    for rank, entry in reversed(list(enumerate(named))):
        best = rank < LABELLED
        style = "-" if rank < len(SERIES) - 1 else "--"
        colour = SERIES[rank % (len(SERIES) - 1)] if best else MUTED
        for number, (epochs, values) in enumerate(_val_curves(entry)):
            label = entry.name if best and not number else None
            look = {"linestyle": style, "linewidth": 1.6, "zorder": 3} if best else {"linewidth": 0.8, "alpha": 0.5}
            axes.plot(epochs, values, color=colour, label=label, marker="o" if len(epochs) == 1 else None, **look)
    axes.set(xlabel="epoch", ylabel="validation accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside lower center", ncols=3, fontsize=9)
    return figure


def parameters_chart(entries: Sequence[Entry], names: Sequence[str]) -> Figure:
    """Draw each entry as a line over its parameters, coloured by its validation accuracy, which `entries` have."""
    accuracy = [entry.val_accuracy.value for entry in entries if entry.val_accuracy]
    shown = [axis_of(name, [entry.runs[0].params.get(name) for entry in entries]) for name in names[:AXES]]
    shown.append(axis_of("validation accuracy", accuracy))
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = np.quantile(accuracy, [0.1, 1])  # a run that failed to learn takes no colour from the others
    norm = Normalize(low, max(high, low + 0.01), clip=True)
    for i in np.argsort(accuracy):
        axes.plot([axis.places[i] for axis in shown], color=_SCALE(norm(accuracy[i])), linewidth=1.6, alpha=0.85)
    for place, axis in enumerate(shown):
        axes.axvline(place, color=MUTED, linewidth=1, zorder=1)
        for height, text in axis.ticks:
            axes.annotate(text, (place, height), (4, 2), textcoords="offset points", va="bottom", fontsize=9, zorder=4)
    titles = [axis.name.replace(".", ".\n", 1).replace("_", "_\n").replace(" ", "\n") for axis in shown]
    axes.set_xticks(range(len(shown)), titles)
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.1, len(shown) - 1 + 0.4), ylim=(-0.06, 1.06))
    axes.yaxis.set_visible(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def published_chart(entries: Sequence[Entry]) -> Figure:
    """Draw published and own accuracy of each entry; `entries` have a published one."""
    figure = Figure(figsize=(9, 1.2 + 0.36 * len(entries)), layout="constrained")
    axes = bare(figure.subplots(), "x")
    for place, entry in enumerate(entries):
        theirs, own = entry.published or 0.0, entry.test_accuracy or entry.val_accuracy
        if own:
            axes.plot([theirs, own.value], [place, place], color=MUTED, alpha=0.4, linewidth=2, zorder=1)
            filled = SERIES[0] if entry.test_accuracy else "none"
            axes.scatter(own.value, place, 40, facecolors=filled, edgecolors=SERIES[0], zorder=3)
            axes.plot(own.interval or (), (place, place) if own.interval else (), color=SERIES[0], linewidth=1)
        axes.scatter(theirs, place, 30, color=MUTED, marker="D", zorder=3)
    axes.scatter([], [], 30, color=MUTED, marker="D", label="published, test faces")
    axes.scatter([], [], 40, color=SERIES[0], label="ours, test faces")
    if any(entry.val_accuracy and not entry.test_accuracy for entry in entries):
        axes.scatter([], [], 40, facecolors="none", edgecolors=SERIES[0], label="ours, validation faces")
    axes.set_yticks(range(len(entries)), [entry.name for entry in entries])
    axes.set(xlabel="accuracy", ylim=(len(entries) - 0.5, -0.5))
    figure.legend(loc="outside upper right", ncols=3)
    return figure


def axis_of(name: str, values: Sequence[Any]) -> Axis:
    """Return an axis: of numbers, by their logarithms where they span much, or of choices, one below the other."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _numbers(name, values)
    texts = [value_text(value, 16) for value in values]
    choices = sorted(set(texts))
    where = {choice: 0.5 if len(choices) == 1 else i / (len(choices) - 1) for i, choice in enumerate(choices)}
    # Lines through one choice are set a little apart, in the order of the entries.
    counts = {choice: texts.count(choice) for choice in choices}
    passed = dict.fromkeys(choices, 0)
    places = []
    for text in texts:
        passed[text] += 1
        apart = (passed[text] / (counts[text] + 1) - 0.5) * 0.08
        places.append(where[text] + apart)
    return Axis(name, np.array(places), tuple((where[choice], choice) for choice in choices))


def _numbers(name: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    log = low > 0 and (high > WIDE * low or ("rate" in name and high > low))
    scaled = np.log(np.array(values, float)) if log else np.array(values, float)
    spread = scaled.max() - scaled.min()
    places = (scaled - scaled.min()) / spread if spread else np.full(len(values), 0.5)
    known = sorted(set(zip(places.tolist(), values, strict=True)))
    ticks: list[tuple[float, str]] = []
    apart = 0.055 if len(known) <= 8 else 0.16
    for height, value in [known[0], known[-1], *known[1:-1]]:
        if all(abs(height - other) >= apart for other, _ in ticks):
            ticks.append((height, f"{value:.3f}" if name == "validation accuracy" else f"{value:g}"))
    return Axis(name, places, tuple(ticks))


def _front(minutes: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Return the entries that nothing as cheap beats, cheapest first."""
    front: list[int] = []
    for i in sorted(range(len(minutes)), key=lambda i: (minutes[i], -accuracy[i])):
        if not front or accuracy[i] > accuracy[front[-1]]:
            front.append(i)
    return front


def _val_curves(entry: Entry) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    curves = (curve for run in entry.runs for curve in run.curves)
    return [(one.epochs, one.values) for one in curves if (one.part, one.measure) == ("val", "accuracy")]


def _label(
    figure: Figure, axes: Axes, steps: Sequence[tuple[float, float, float]], points: Sequence[tuple[float, float, str]]
) -> None:
    """Write names beside points, those that come first before the others, where they cover nothing.

    Args:
        figure: all of it.
        axes: the chart in it.
        steps: level lines that are to stay free: start, height, end.
        points: x, y, name; empty for those that need none.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    where = axes.transData.transform([(x, y) for x, y, _ in points])
    dots = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in where]
    ends = [axes.transData.transform([(start, y), (end, y)]) for start, y, end in steps]
    taken = [*dots, *(Bbox.from_extents(one[0], one[1] - 2, other[0], other[1] + 2) for one, other in ends)]
    for (x, y, name), own in zip(points, dots, strict=True):
        for offset, across, along in _SIDES if name else ():
            text = axes.annotate(name, (x, y), offset, textcoords="offset points", ha=across, va=along, fontsize=9)
            box = text.get_window_extent(renderer).expanded(1.1, 1.05)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken if other is not own):
                taken.append(box)
                break
            text.remove()
