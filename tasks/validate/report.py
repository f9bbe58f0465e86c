"""The report of the validation, to be read offline: what was expected, what was seen, and the faces at fault."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from model.labels import LABELS
from tasks.common.params import Severity
from tasks.common.provenance import Provenance
from tasks.common.tables import USAGES, Faces
from tasks.report.page import SERIES, Html, badge, code, contact_sheet, figure, page, section, svg, table
from tasks.validate.expectations import Outcome
from tasks.validate.features import FER2013, Features, class_shares

SHOWN: Final = 20
"""Most faces shown of each fault, and most entries listed of what was left out."""

FAULTS: Final = {
    "flat": "Flat faces",
    "conflicting": "Copies with conflicting labels",
    "leaked": "Faces of PublicTest and PrivateTest that stand in Training too",
}

SYNTHETIC: Final = "Synthetic faces, drawn by the project itself: nothing on this page says anything of FER2013."

_CAPTION: Final = "Share of each label in each Usage part; the lines are the shares in all of FER2013."

_BADGES: Final[dict[Severity, Literal["bad", "warn"]]] = {"critical": "bad", "warning": "warn"}


def report(outcomes: Sequence[Outcome], features: Features, faces: Faces, provenance: Provenance) -> str:
    """Return the whole page as HTML."""
    parts = [
        _summary(outcomes),
        section("Expectations", _expectations(outcomes)),
        section("Source", _source(provenance)),
        section("Labels", figure(svg(_chart(features.parts)), _CAPTION), _labels(features.parts)),
        section("Copies and flat faces, by part", _traits(features.faces)),
        section("Faces at fault", *_faults(features.faces, faces)),
    ]
    return page("Validation of the data", "\n".join(parts), SYNTHETIC if provenance.synthetic else None)


def _summary(outcomes: Sequence[Outcome]) -> Html:
    failed = [outcome for outcome in outcomes if not outcome.success]
    critical = [outcome.name for outcome in failed if outcome.severity == "critical"]
    verdict = badge("stops the pipeline", "bad") if critical else badge("fit for training", "good")
    warnings = sum(outcome.severity == "warning" for outcome in failed)
    return Html(
        f"<p>{verdict} {len(outcomes) - len(failed)} of {len(outcomes)} expectations hold. "
        f"Critical failures: {len(critical)}. Warnings: {warnings}.</p>"
    )


def _expectations(outcomes: Sequence[Outcome]) -> Html:
    """Return the table of all outcomes, the failed ones first."""
    rows = [
        (
            badge("holds", "good") if one.success else badge("fails", _BADGES[one.severity]),
            one.severity,
            Html(f"<strong>{one.name.replace('_', ' ')}</strong><br>{html.escape(one.expected)}"),
            one.observed,
        )
        for one in sorted(outcomes, key=lambda one: one.success)
    ]
    return table(("outcome", "severity", "expected", "seen"), rows)


def _source(provenance: Provenance) -> Html:
    rows: list[tuple[str, str]] = [
        ("source", provenance.source),
        ("layout", provenance.layout),
        ("synthetic", "yes, drawn by the project itself" if provenance.synthetic else "no"),
        ("SHA-256", code(provenance.sha256)),
        ("faces", f"{provenance.rows:,}"),
    ]
    if provenance.votes:
        rows.append(("crowd votes", provenance.votes.source))
    if provenance.crowd_labels:
        rows.append(("labels", "the majorities of the crowd's votes"))
    if provenance.teachers:
        rows.append(("teachers", ", ".join(teacher.model for teacher in provenance.teachers)))
    rows += [("of them", f"{part.rows:,} of {part.source} ({part.layout})") for part in provenance.parts]
    if provenance.dropped:
        rows.append(("dropped", ", ".join(f"{label} {count:,}" for label, count in provenance.dropped.items())))
    rows.append(("left out", f"{len(provenance.left_out):,} entries" if provenance.left_out else "nothing"))
    left_out = table(("left out", "why"), [(one.where, one.reason) for one in provenance.left_out[:SHOWN]])
    return Html(table((), rows) + (left_out if provenance.left_out else ""))


def _chart(parts: pd.DataFrame) -> Figure:
    """Draw the share of each label in each Usage part, as bars, beside FER2013's, as marks."""
    drawing = Figure(figsize=(9, 3.4), layout="constrained")
    axes = drawing.subplots()
    usages = list(dict.fromkeys(parts["usage"]))
    width, centre = 0.8 / max(len(usages), 1), np.arange(len(LABELS))
    for i, usage in enumerate(usages):
        counts = parts.loc[parts["usage"] == usage, "count"].to_numpy()
        place = centre + (i - (len(usages) - 1) / 2) * width
        axes.bar(place, class_shares(counts), width * 0.92, color=SERIES[i], label=f"{usage} ({counts.sum():,})")
    axes.hlines(class_shares(np.array(FER2013)), centre - 0.43, centre + 0.43, color="black", lw=1.4, label="FER2013")
    axes.set_xticks(centre, LABELS)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylabel("share of the part")
    axes.legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1))
    return drawing


def _labels(parts: pd.DataFrame) -> Html:
    """Return the faces of each label by part, and their share beside FER2013's."""
    usages = list(dict.fromkeys(parts["usage"]))
    counts = parts["count"].to_numpy().reshape(-1, len(LABELS))
    total = counts.sum(axis=0)
    rows = [
        (
            label,
            *(f"{count:,}" for count in by_part),
            f"{faces:,}",
            f"{own:.2%}",
            f"{its:.2%}",
            f"{100 * (own - its):+.2f}",
        )
        for label, by_part, faces, own, its in zip(
            LABELS, counts.T, total, class_shares(total), class_shares(np.array(FER2013)), strict=True
        )
    ]
    header = ("label", *usages, "all", "share", "FER2013", "points")
    return table(header, rows, numeric=range(1, len(header)))


def _traits(frame: pd.DataFrame) -> Html:
    """Return how many faces of each part have each trait."""
    names = {
        "flat": "flat",
        "copied": "copy of an earlier face",
        "conflicting": "copy with another label",
        "near": "near copy",
        "leaked": "exact copy in Training",
        "near_leaked": "only a near copy in Training",
    }
    rows = []
    for usage in USAGES:
        part = frame[frame["usage"] == usage]
        rows.append((usage, f"{len(part):,}", *(f"{part[name].sum():,}" for name in names)))
    return table(("part", "faces", *names.values()), rows, numeric=range(1, len(names) + 2))


def _faults(frame: pd.DataFrame, faces: Faces) -> list[Html]:
    """Return a contact sheet of each kind of fault, copies of one face side by side, flat faces once."""
    parts = []
    for trait, title in FAULTS.items():
        wanted = frame[trait] & (~frame["flat"] | (trait == "flat"))
        found = frame[wanted].sort_values(["first_row", "row"], kind="stable")
        some = f", the first {SHOWN}" if len(found) > SHOWN else ""
        parts.append(Html(f"<h3>{title}: {len(found):,}{some}</h3>"))
        shown = found.head(SHOWN)
        captions = [_caption(trait, face) for face in shown.to_dict("records")]
        parts.append(contact_sheet(zip(faces.pixels[shown.index], captions, strict=True)))
    return parts


def _caption(trait: str, face: Mapping[Any, Any]) -> str:
    label = dict(enumerate(LABELS)).get(face["emotion"], f"label {face['emotion']}")
    copy = f", pixels of row {face['first_row']}" if face["first_row"] != face["row"] else ""
    why = f", deviation {face['pixel_std']:.2f}" if trait == "flat" else copy
    return f"row {face['row']}, {label}, {face['usage']}{why}"
