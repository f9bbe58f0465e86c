"""What the evaluation report draws as HTML itself: a confusion matrix, and faces with their heat."""

import html
from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np

from model.labels import LABELS
from tasks.report.page import Html, png_data_uri

_SHADE = "59, 130, 196"  # SERIES[0] of tasks.report.page, in decimals


def confusion_table(confusion: Sequence[Sequence[int]]) -> Html:
    """Return a confusion matrix, true labels in rows: the share of the row, which is the shade too, and the count."""
    head = "".join(f'<th class="number">{name}</th>' for name in LABELS)
    lines = [f'<tr><th>true ↓</th>{head}<th class="number">faces</th></tr>']
    for name, row in zip(LABELS, confusion, strict=True):
        support = sum(row)
        cells = "".join(_confusion_cell(count, count / support if support else 0.0) for count in row)
        lines.append(f'<tr><th>{name}</th>{cells}<td class="number">{support:,}</td></tr>')
    return Html(f'<div class="scroll"><table style="table-layout:fixed;min-width:640px">{"".join(lines)}</table></div>')


def _confusion_cell(count: int, share: float) -> str:
    return (
        f'<td class="number" style="background:rgba({_SHADE},{0.6 * share:.2f})">'
        f"{share:.0%}<br><small>{count:,}</small></td>"
    )


def heated_faces(cells: Iterable[tuple[np.ndarray, np.ndarray, str]]) -> Html:
    """Return a grid of faces, each beside itself under its heat.

    Args:
        cells: a face, uint8 [h, w]; its heat, float [h, w], 0 to 1; a caption, plain text.
    """
    figures = "\n".join(
        f'<figure><div style="display:flex;gap:4px"><img src="{png_data_uri(face)}" alt="">'
        f'<img src="{png_data_uri(overlay(face, heat))}" alt=""></div>\n'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for face, heat, caption in cells
    )
    return Html(
        f'<div class="faces" style="grid-template-columns:repeat(auto-fill,minmax(200px,1fr))">\n{figures}\n</div>'
    )


def overlay(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return a face, uint8 [h, w], as uint8 [h, w, 3], coloured the more the higher its heat, float [h, w], 0 to 1."""
    grey = np.repeat(face[:, :, None] / 255, 3, axis=2)
    colour = mpl.colormaps["plasma"](heat)[:, :, :3]
    strength = 0.65 * heat[:, :, None]
    return np.rint(255 * (grey * (1 - strength) + colour * strength)).astype(np.uint8)
