"""The leaderboard as one HTML page: the table, accuracy against cost, curves, parameters, published figures."""

import html
from collections.abc import Sequence
from typing import Final, Literal

from tasks.leaderboard.charts import AXES, LABELLED, cost_chart, curves_chart, parameters_chart, published_chart
from tasks.leaderboard.figures import Figure
from tasks.leaderboard.runs import Entry, Run, grouped, ranked, varying
from tasks.leaderboard.table import COSTS, MISSING, Line, cost_cells, honesty, key, lines
from tasks.report.page import Html, badge, figure, page, paragraph, section, svg, table

_COLOURS: Final[dict[str, Literal["good", "bad", "warn"]]] = {
    "promote": "good",
    "reject": "bad",
    "inconclusive": "warn",
}


def leaderboard_page(
    runs: Sequence[Run], by: str = "accuracy", *, sweep: str | None = None, left_out: Sequence[str] = ()
) -> str:
    """Return the page; equal runs give an equal page.

    Args:
        runs: at least one.
        by: what puts the best first: validation `accuracy`, or `cost`.
        sweep: whose runs they are; None for those of all.
        left_out: experiments that are no runs yet, each with the reason.
    """
    entries = ranked(grouped(runs))
    body = [section("Runs", *_runs(runs, by, left_out))]
    body.append(section("Accuracy against cost", *_cost(entries), *_costs(runs, by)))
    body.append(section("Learning curves", *_curves(entries)))
    body.append(section("Parameters", *_parameters(entries, runs)))
    if any(entry.published is not None for entry in entries):
        body.append(section("Beside the published figures", *_published(entries)))
    drawn = [run.name for run in runs if run.synthetic]
    whose = "These" if len(drawn) == len(runs) else f"{len(drawn)} of these {len(runs)}"
    banner = f"{whose} runs are of drawn faces: their figures say nothing of FER2013." if drawn else None
    return page(f"Leaderboard: {sweep}" if sweep else "Leaderboard", "\n".join(body), banner)


def _runs(runs: Sequence[Run], by: str, left_out: Sequence[str]) -> list[str]:
    header = ["run", "validation accuracy", "macro F1", "test accuracy", "macro F1", "verdict", COSTS[0]]
    rows = [_row(line) for line in lines(runs, by)]
    parts: list[str] = [
        table(header, rows, numeric=[6]),
        paragraph(honesty(runs)),
        paragraph(" ".join(filter(None, [_order(by), key(runs), _parents(runs)])), soft=True),
    ]
    if left_out:
        parts.append(paragraph(f"Left out: {', '.join(left_out)}.", soft=True))
    return parts


def _order(by: str) -> str:
    first = "The shortest training" if by == "cost" else "The highest validation accuracy"
    return f"{first} comes first. Under a name stands what the run changed, where the runs differ."


def _parents(runs: Sequence[Run]) -> str:
    parents = sorted({run.parent[:7] for run in runs})
    started = (
        f"All started from commit {parents[0]}."
        if len(parents) == 1
        else f"They started from the commits {', '.join(parents)}."
    )
    return started if len(runs) > 1 else f"It started from commit {parents[0]}."


def _row(line: Line) -> list[str]:
    entry = line.entry
    name: str = _unbroken(line.title) if line.single else f"<b>{_unbroken(line.title)}</b>"
    changed = " ".join(f"<code>{_unbroken(one)}</code>" for one in line.changed)
    if changed:
        name = f'<div style="min-width:18rem">{name}<br><span class="soft">{changed}</span></div>'
    verdict = badge(entry.verdict, _COLOURS.get(entry.verdict, "plain")) if entry.verdict else MISSING
    figures = (entry.val_accuracy, entry.val_macro_f1, entry.test_accuracy, entry.test_macro_f1)
    return [Html(name), *map(_figure, figures), verdict, cost_cells(entry)[COSTS[0]]]


def _unbroken(text: str) -> Html:
    return Html(f'<span style="white-space:nowrap">{html.escape(text)}</span>')


def _figure(one: Figure | None) -> str:
    if one is None:
        return MISSING
    point = one.point.replace(" ", "&nbsp;")
    below = f'<br><span class="soft">{one.range.replace(" ", "&nbsp;")}</span>' if one.range else ""
    return Html(point + below)


def _cost(entries: Sequence[Entry]) -> list[str]:
    known = [entry for entry in entries if entry.val_accuracy and entry.minutes is not None]
    if not known:
        return [paragraph("No run says how long it trained.")]
    devices = sorted({entry.device for entry in known} - {""})
    parts = [
        "Blue is what nothing as short beats; grey bars are 95 % intervals. The best have a name where it fits.",
        f"Devices: {'; '.join(devices)}." if devices else "",
        _lacking([entry.name for entry in entries if entry not in known], "no time or no accuracy is known"),
    ]
    return [figure(svg(cost_chart(known)), " ".join(filter(None, parts)))]


def _costs(runs: Sequence[Run], by: str) -> list[str]:
    shown = [line for line in lines(runs, by) if line.entry.cost("seconds") is not None or line.entry.device]
    rows = [[_unbroken(line.title), *cost_cells(line.entry).values()] for line in shown]
    return [table(["run", *COSTS], rows, numeric=range(1, 5))] if rows else []


def _curves(entries: Sequence[Entry]) -> list[str]:
    known = [entry for entry in entries if any(run.curves for run in entry.runs)]
    lacking = [run.name for entry in entries for run in entry.runs if not run.curves]
    left_out = _lacking(lacking, "neither the cache nor the remote has their curves")
    if not known:
        return [paragraph("No curves are at hand: neither the cache nor the remote has them.")]
    rest = f"The {LABELLED} best have a name, the others are grey. " if len(known) > LABELLED else ""
    return [figure(svg(curves_chart(known)), f"Validation accuracy by epoch. {rest}{left_out}".strip())]


def _parameters(entries: Sequence[Entry], runs: Sequence[Run]) -> list[str]:
    known = [entry for entry in entries if entry.val_accuracy]
    names = _shared(known, varying(runs)) if len(known) > 1 else []
    if not names:
        return [paragraph("The runs differ in no parameter that could be drawn.")]
    more = f" Left out: {', '.join(names[AXES:])}." if len(names) > AXES else ""
    caption = (
        "Each line is a run or a group of seeds, from blue, the lowest validation accuracy, to orange, the highest. "
        f"Numbers that span much, and rates, go by logarithm.{more}"
    )
    return [figure(svg(parameters_chart(known, names)), caption)]


def _shared(entries: Sequence[Entry], names: Sequence[str]) -> list[str]:
    """Return the parameters in which entries differ and no group does within itself."""
    values = {name: [[repr(run.params.get(name)) for run in entry.runs] for entry in entries] for name in names}
    return [
        name
        for name, found in values.items()
        if all(len(set(one)) == 1 for one in found) and len({one[0] for one in found}) > 1
    ]


def _published(entries: Sequence[Entry]) -> list[str]:
    known = [entry for entry in entries if entry.published is not None]
    rows = [_beside(entry) for entry in known]
    header = ["run", "published", "ours, test faces", "ours, validation faces", "difference in points"]
    return [
        figure(
            svg(published_chart(known)),
            "Accuracy of each run, ours and the published one; the thin lines are intervals.",
        ),
        table(header, rows, numeric=range(1, 5)),
        paragraph(
            "Published are accuracies on test faces. The difference is that of test faces where ours saw them, else of "
            "validation faces against test faces, in brackets.",
            soft=True,
        ),
    ]


def _beside(entry: Entry) -> list[str]:
    theirs, test, validation = entry.published or 0.0, entry.test_accuracy, entry.val_accuracy
    own = test or validation
    points = f"{100 * (own.value - theirs):+.1f}".replace("-", "−") if own else MISSING
    figures = [one.point if one else MISSING for one in (test, validation)]
    return [entry.name, f"{theirs:.3f}", *figures, points if test or not own else f"({points})"]


def _lacking(names: Sequence[str], why: str) -> str:
    return f"Left out, because {why}: {', '.join(names)}." if names else ""
