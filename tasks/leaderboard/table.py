"""The leaderboard as rows of text: for a terminal, for a pipe, and for a table in Prefect's pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tasks.common.console import console, say
from tasks.leaderboard.figures import Figure
from tasks.leaderboard.runs import Entry, Run, changes, grouped, ranked

MISSING: Final = "–"

COSTS: Final = ("minutes", "GPU-hours", "faces/s", "peak MB", "device")
"""Columns of what a training took."""

MOST: Final = 12
"""Most changed parameters that a line names; more differ where runs started from commits with other parameters."""

SINGLE: Final = "· "
"""Stands before each single run under the line of its group."""


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        title: of the run or the group.
        entry: what it shows.
        changed: the parameters, as `name=value`.
        single: it is one run of the group above it.
    """

    title: str
    entry: Entry
    changed: tuple[str, ...]
    single: bool


def lines(runs: Sequence[Run], by: str = "accuracy") -> list[Line]:
    """Return the lines, best first by validation `accuracy` or by `cost`; under a group's stand those of its runs."""
    found = []
    for entry in ranked(grouped(runs), by):
        several = len(entry.runs) > 1
        title = f"{entry.name} ({len(entry.runs)} seeds)" if several else entry.name
        found.append(Line(title, entry, _few(changes(entry, runs)), single=False))
        if several:
            singles = ranked([Entry(run.name, (run,)) for run in entry.runs], by)
            found += [Line(SINGLE + one.name, one, (), single=True) for one in singles]
    return found


def _few(changed: Sequence[str]) -> tuple[str, ...]:
    rest = len(changed) - MOST
    return (*changed[:MOST], f"and {rest} more") if rest > 0 else tuple(changed)


def rows(runs: Sequence[Run], by: str = "accuracy") -> list[dict[str, str]]:
    """Return the lines as text by column, for a table artifact of Prefect."""
    return [cells(line) for line in lines(runs, by)]


def cells(line: Line) -> dict[str, str]:
    """Return the text of each column."""
    entry = line.entry
    return {
        "run": line.title,
        "changed": " ".join(line.changed),
        "validation accuracy": figure_text(entry.val_accuracy),
        "validation macro F1": figure_text(entry.val_macro_f1),
        "test accuracy": figure_text(entry.test_accuracy),
        "test macro F1": figure_text(entry.test_macro_f1),
        "verdict": entry.verdict or MISSING,
        **cost_cells(entry),
    }


def cost_cells(entry: Entry) -> dict[str, str]:
    """Return the text of the columns `COSTS`; of a group, each is the mean of its runs."""
    memory, gpu = entry.cost("peak_memory_mb"), entry.cost("peak_gpu_memory_mb")
    megabytes = MISSING if memory is None else f"{memory:,.0f}"
    return {
        "minutes": _number(entry.minutes),
        "GPU-hours": _number(entry.cost("gpu_hours"), 3),
        "faces/s": _number(entry.cost("faces_per_second"), 0),
        "peak MB": megabytes if gpu is None else f"{megabytes} (GPU {gpu:,.0f})",
        "device": entry.device or MISSING,
    }


def figure_text(figure: Figure | None) -> str:
    """Return a figure with all that is known of it."""
    return MISSING if figure is None else str(figure)


def honesty(runs: Sequence[Run]) -> str:
    """Return on what the choice rests, and which runs looked at the test faces."""
    looked = sorted(run.name for run in runs if run.test)
    lead = "Runs are chosen by validation accuracy alone."
    if not looked:
        return f"{lead} None of them looked at the test faces."
    times = "once" if len(looked) == 1 else f"{len(looked)} times"
    return f"{lead} The test faces were looked at {times}, by {', '.join(looked)}."


def key(runs: Sequence[Run]) -> str:
    """Return what the brackets and the signs of the table mean, as far as they are in it."""
    entries, parts = grouped(runs), []
    if any(len(entry.runs) == 1 and entry.val_accuracy and entry.val_accuracy.interval for entry in entries):
        parts.append("of validation faces, Wilson's 95 % interval (1927)")
    if any(run.test and run.test.interval for run in runs):
        parts.append("of test faces, the interval that the evaluation drew")
    if any(len(entry.runs) > 1 for entry in entries):
        parts.append(
            "of several seeds, the mean's 95 % t interval, after ± the sample standard deviation; cost: the mean"
        )
    return f"In brackets: {'; '.join(parts)}." if parts else ""


def show(runs: Sequence[Run], by: str = "accuracy") -> None:
    """Print the leaderboard: a line a run where nobody looks on, figures and cost in two tables where somebody does."""
    shown = lines(runs, by)
    if not console.is_terminal:
        _say(shown)
    else:
        console.print(_figures(shown), _costs(shown), soft_wrap=False)
    for text in filter(None, (key(runs), honesty(runs))):
        console.print(text, markup=False, soft_wrap=not console.is_terminal)


def _say(shown: Sequence[Line]) -> None:
    """Print each line as one line of text, the columns under each other."""
    table = [list(cells(shown[0])), *(list(cells(line).values()) for line in shown)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _figures(shown: Sequence[Line]) -> Table:
    """Return a table without the cost, with a line for each part of a cell."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, leading=1 if len(shown) < 30 else 0)
    table.add_column("run", overflow="fold")
    for name in ("validation\naccuracy", "macro\nF1", "test\naccuracy", "macro\nF1", "verdict"):
        table.add_column(name, no_wrap=name != "verdict")
    for line in shown:
        entry = line.entry
        first = Text("\n").join([Text(line.title), *(Text(f"  {one}", style="dim") for one in line.changed)])
        accuracies = (entry.val_accuracy, entry.test_accuracy)
        f1s = (entry.val_macro_f1, entry.test_macro_f1)
        figures = [_stacked(figure) for pair in zip(accuracies, f1s, strict=True) for figure in pair]
        table.add_row(first, *figures, Text(entry.verdict or MISSING), style=_style(line))
    return table


def _costs(shown: Sequence[Line]) -> Table:
    """Return a table of the cost alone."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("cost of training", overflow="fold")
    for name in COSTS:
        table.add_column(name, justify="left" if name == "device" else "right", overflow="fold")
    for line in shown:
        table.add_row(Text(line.title), *map(Text, cost_cells(line.entry).values()), style=_style(line))
    return table


def _stacked(figure: Figure | None) -> Text:
    if figure is None:
        return Text(MISSING)
    point = figure.point.replace(" ±", "\n±") if not figure.range else figure.point
    return Text("\n").join([Text(point), *([Text(figure.range, style="dim")] if figure.range else [])])


def _style(line: Line) -> str:
    return "dim" if line.single else ""


def _number(figure: float | None, digits: int = 1) -> str:
    return MISSING if figure is None else f"{figure:,.{digits}f}"
