"""A network drawn as SVG: a block a step, with what it gives, parallel paths side by side, shortcuts as arcs."""

import html
from dataclasses import dataclass
from typing import Final

from model.summary import LayerRow

_FOLLOWERS: Final = frozenset(
    ("Activation", "BatchNormalization", "Dropout", "LayerNormalization", "ReLU", "Rescaling", "Reshape", "Softmax")
)
"""Kinds that are drawn inside the block of the layer that feeds them."""

_COLOURS: Final = {"Conv": "#3b82c4", "Pooling": "#2f9e77", "Flatten": "#2f9e77", "Dense": "#e8873a", "Add": "#b4629f"}
_OTHER: Final = "#8a8f98"
_WIDTH, _LEFT, _GAP, _HEIGHT, _STEP = 560, 32, 14, 38, 56


@dataclass(frozen=True)
class _Block:
    layers: tuple[LayerRow, ...]
    inputs: tuple[int, ...]  # positions of the blocks that feed it
    depth: int  # blocks on the longest way to it from the input


def draw(rows: list[LayerRow]) -> str:
    """Return the network as an SVG document; its text takes the colour of the page around it."""
    blocks = _blocks(rows)
    places = _places(blocks)
    height = _STEP * max(block.depth for block in blocks) + _HEIGHT + 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -1 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'style="max-width:{_WIDTH}px;min-width:0" fill="currentColor" font-family="sans-serif" role="img">',
        "<title>The layers of the network</title>",
    ]
    for block, (left, width) in zip(blocks, places, strict=True):
        parts += [_path(blocks[source].depth, places[source], block.depth, (left, width)) for source in block.inputs]
        parts += _box(block, left, width)
    return "\n".join([*parts, "</svg>\n"])


def _blocks(rows: list[LayerRow]) -> list[_Block]:
    """Group each layer with the small ones that alone follow it."""
    uses = [source for row in rows for source in row.inputs]
    home: dict[str, int] = {}
    grouped: list[list[LayerRow]] = []
    for row in rows:
        if row.kind in _FOLLOWERS and len(row.inputs) == 1 and uses.count(row.inputs[0]) == 1:
            home[row.name] = home[row.inputs[0]]
            grouped[home[row.name]].append(row)
        else:
            home[row.name] = len(grouped)
            grouped.append([row])
    blocks: list[_Block] = []
    for layers in grouped:
        inputs = tuple(home[source] for source in layers[0].inputs)
        depth = max((blocks[source].depth + 1 for source in inputs), default=0)
        blocks.append(_Block(tuple(layers), inputs, depth))
    return blocks


def _places(blocks: list[_Block]) -> list[tuple[float, float]]:
    """Return the left edge and the width of each block: those of one depth share a line."""
    places = []
    for position, block in enumerate(blocks):
        beside = [other for other, candidate in enumerate(blocks) if candidate.depth == block.depth]
        width = (_WIDTH - 1 - _LEFT - _GAP * (len(beside) - 1)) / len(beside)
        places.append((_LEFT + (width + _GAP) * beside.index(position), width))
    return places


def _path(upper: int, above: tuple[float, float], lower: int, below: tuple[float, float]) -> str:
    """Return a line to a block of the next depth, or an arc along the left side to a deeper one."""
    top, bottom = upper * _STEP + _HEIGHT, lower * _STEP
    if lower == upper + 1:
        # Between the middles where one block feeds one; straight down where their widths differ.
        x = min(above, below, key=lambda place: place[1])
        shape = f"M{x[0] + x[1] / 2:g} {top}V{bottom}"
    else:
        start, end, out = top - _HEIGHT / 2, bottom + _HEIGHT / 2, _LEFT - 20
        away, back = f"Q{out} {start:g} {out} {start + 20:g}", f"Q{out} {end:g} {below[0]:g} {end:g}"
        shape = f"M{above[0]:g} {start:g}{away}V{end - 20:g}{back}"
    return f'<path d="{shape}" fill="none" stroke="{_OTHER}" stroke-width="1.5"/>'


def _box(block: _Block, left: float, width: float) -> list[str]:
    first, last = block.layers[0], block.layers[-1]
    colour = next((colour for word, colour in _COLOURS.items() if word in first.kind), _OTHER)
    top = block.depth * _STEP
    name = f"{first.kind.removesuffix('Layer')} {first.settings}".strip()
    followers = " · ".join(f"{layer.kind} {layer.settings}".strip() for layer in block.layers[1:])
    shape = " × ".join(map(str, last.shape))
    weights = sum(layer.parameters for layer in block.layers)
    texts = [
        (left + 10, top + (16 if followers else 24), "start", 13, name),
        (left + 10, top + 30, "start", 10.5, followers),
        (left + width - 10, top + (16 if weights else 24), "end", 13, shape),
        (left + width - 10, top + 30, "end", 10.5, f"{weights:,} parameters" if weights else ""),
    ]
    return [
        f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{_HEIGHT}" rx="6" '
        f'fill="{colour}" fill-opacity="0.18" stroke="{colour}"/>',
        *(
            f'<text x="{x:g}" y="{y}" text-anchor="{anchor}" font-size="{size}">{html.escape(text)}</text>'
            for x, y, anchor, size, text in texts
            if text
        ),
    ]
