"""The look that all reports share: one self-contained HTML page, light and dark, wide and narrow.

Text given to these functions is escaped; what is HTML already says so by its type, `Html`.
"""

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from PIL import Image

SERIES: Final = ("#3b82c4", "#e8873a", "#2f9e77", "#b4629f", "#c9a227", "#6b7fd7", "#8a8f98")
"""Colours of a chart's series, told apart on a light and on a dark page."""

MUTED: Final = "#8a8f98"
"""Colour of grid lines and of reference marks."""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2127; --soft: #5d6672; --line: #dde1e6; --paper: #fff; --wash: #f5f7f9;
  --good: #18794e; --good-wash: #e3f5ec; --warn: #8f5200; --warn-wash: #fdf0d9; --bad: #b3261e; --bad-wash: #fde8e6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a2abb6; --line: #343b44; --paper: #15191e;
  --wash: #1d2229; --good: #6fd3a3; --good-wash: #15352a; --warn: #f0b95b; --warn-wash: #3a2c12; --bad: #ff9a90;
  --bad-wash: #43201d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 16px; }
h2 { font-size: 1.25rem; margin: 40px 0 12px; padding-top: 20px; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 28px 0 8px; }
p { margin: 8px 0; max-width: 75ch; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.banner { background: var(--warn-wash); color: var(--warn); border-bottom: 3px solid var(--warn); padding: 14px 16px;
  font-weight: 600; text-align: center; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; border-bottom-width: 2px; }
tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
figure { margin: 16px 0; }
.drawing { overflow-x: auto; }
.drawing svg { display: block; width: 100%; min-width: 480px; height: auto; fill: currentColor; color: var(--ink); }
.drawing svg text { font-family: inherit !important; }
.drawing img { display: block; max-width: 100%; height: auto; }
.badge { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: .82rem; font-weight: 600;
  white-space: nowrap; background: var(--wash); color: var(--soft); }
.badge.good { background: var(--good-wash); color: var(--good); }
.badge.warn { background: var(--warn-wash); color: var(--warn); }
.badge.bad { background: var(--bad-wash); color: var(--bad); }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 14px 10px; margin: 12px 0; }
.faces figure { margin: 0; }
.faces img { display: block; width: 96px; height: 96px; border-radius: 6px; background: var(--wash);
  image-rendering: pixelated; }
.faces figcaption { font-size: .78rem; line-height: 1.35; margin-top: 4px; overflow-wrap: anywhere; }
@media (max-width: 600px) { h1 { font-size: 1.5rem; } table { font-size: .86rem; } }
@media print { .scroll, .drawing { overflow: visible; } .drawing svg { min-width: 0; } }
"""


class Html(str):
    """Text that is HTML already and is not to be escaped."""

    __slots__ = ()


def page(title: str, body: str, banner: str | None = None) -> str:
    """Return a whole HTML document.

    Args:
        title: plain text, the heading of the page too.
        body: HTML, what the other functions here return, joined.
        banner: plain text across the top that no reader can miss, such as that the data is synthetic.
    """
    top = f'<div class="banner" role="note">{html.escape(banner)}</div>\n' if banner else ""
    heading = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{top}<main>\n<h1>{heading}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> Html:
    """Return a heading of the second level (plain text) and the HTML parts under it."""
    return Html("\n".join([f"<h2>{html.escape(title)}</h2>", *parts]))


def paragraph(text: str, *, soft: bool = False) -> Html:
    """Return a paragraph; `soft` is for side remarks."""
    mark = ' class="soft"' if soft else ""
    return Html(f"<p{mark}>{_cell(text)}</p>")


def code(text: str) -> Html:
    """Return text in the fixed-width face, such as a hash or a command."""
    return Html(f"<code>{html.escape(text)}</code>")


def badge(text: str, kind: Literal["good", "warn", "bad", "plain"] = "plain") -> Html:
    """Return a short outcome in its colour."""
    return Html(f'<span class="badge {kind}">{html.escape(text)}</span>')


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = ()) -> Html:
    """Return a table.

    Args:
        header: names of the columns; empty for a table of facts, whose first column names each row.
        rows: cells, escaped unless they are `Html`.
        numeric: columns to set flush right, with figures of equal width.
    """

    def line(cells: Sequence[str], tags: Sequence[str]) -> str:
        marks = [' class="number"' if i in numeric else "" for i in range(len(cells))]
        joined = zip(cells, tags, marks, strict=True)
        return "<tr>" + "".join(f"<{tag}{mark}>{_cell(cell)}</{tag}>" for cell, tag, mark in joined) + "</tr>"

    head = f"<thead>{line(header, ['th'] * len(header))}</thead>\n" if header else ""
    first = "td" if header else "th"
    body = "\n".join(line(cells, [first, *["td"] * (len(cells) - 1)]) for cells in rows)
    return Html(f'<div class="scroll"><table>\n{head}<tbody>\n{body}\n</tbody>\n</table></div>')


def figure(drawing: str, caption: str) -> Html:
    """Return a figure: an SVG from `svg` or a picture from `png_data_uri`, with a caption under it."""
    if drawing.startswith("data:"):
        drawing = f'<img src="{drawing}" alt="{html.escape(caption)}">'
    return Html(f'<figure><div class="drawing">{drawing}</div>\n<figcaption>{_cell(caption)}</figcaption></figure>')


def contact_sheet(faces: Iterable[tuple[np.ndarray, str]]) -> Html:
    """Return a grid of faces, uint8 [h, w] each, with a caption under each."""
    cells = "\n".join(
        f'<figure><img src="{png_data_uri(face)}" alt="">\n<figcaption>{_cell(caption)}</figcaption></figure>'
        for face, caption in faces
    )
    return Html(f'<div class="faces">\n{cells}\n</div>')


def png_data_uri(pixels: np.ndarray) -> str:
    """Return a picture, uint8 [h, w] grey or [h, w, 3] RGB, as a PNG in a data URI."""
    memory = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(memory, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(memory.getvalue()).decode("ascii")


def bare(axes: Axes, grid: Literal["x", "y"] = "y") -> Axes:
    """Leave of a chart's frame only a grid along one axis, and return it."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(length=0)
    axes.grid(axis=grid, color=MUTED, alpha=0.3, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def svg(drawing: Figure) -> Html:
    """Return a Matplotlib figure as SVG to stand inside a page: equal figures give equal bytes.

    The ground is left transparent, pure black takes the colour of the page's text, and text is set in the page's face.
    Text on a coloured ground that must stay dark on a dark page wants another colour than pure black, such as #111.
    """
    for legend in drawing.findobj(Legend):
        legend.set_frame_on(False)
    memory = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": "report", "svg.fonttype": "none"}):
        drawing.savefig(memory, format="svg", transparent=True, bbox_inches="tight", metadata=nothing)
    whole = memory.getvalue()
    # Inside HTML, the prologue and the names of the XML spaces mean nothing.
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", whole[whole.index("<svg") :])
    text = re.sub(r"#000000\b", "currentColor", text)
    # The names inside one page must differ: Matplotlib counts each figure's parts from 1.
    own = "f" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return Html(re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", text).strip())


def svg_file(drawing: Figure) -> str:
    """Return a Matplotlib figure as an SVG file that stands alone, on white: equal figures give equal bytes."""
    memory = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "figure", "svg.fonttype": "none"}):
        drawing.savefig(memory, format="svg", facecolor="white", bbox_inches="tight", metadata={"Date": None})
    return memory.getvalue()


def _cell(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text)
