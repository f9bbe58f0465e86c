"""What a network is made of: its layers with their shapes, parameters and multiply-adds.

`python -m model.summary NAME [--out FILE.svg]` prints them, and draws the network.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

_COUNTED = (keras.layers.Conv2D, keras.layers.Dense)


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Attributes:
        name: unique in the network.
        kind: the class of the layer, such as `Conv2D`.
        settings: what distinguishes it from others of its kind, such as `64, 3×3, stride 2, relu`; may be empty.
        shape: of its output for one face, without the batch.
        parameters: weights, trainable or not.
        trainable: of them, those that training changes.
        multiply_adds: of one face's forward pass, of convolutions and dense layers; other layers cost little.
        inputs: names of the layers that feed it.
    """

    name: str
    kind: str
    settings: str
    shape: tuple[int, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """Sums over a network's layers."""

    parameters: int
    trainable: int
    multiply_adds: int

    @property
    def non_trainable(self) -> int:
        """Weights that training does not change by gradients, such as the means of batch normalization."""
        return self.parameters - self.trainable


def describe(network: keras.Model) -> list[LayerRow]:
    """Return the layers of a functional model, in the order in which a face passes them."""
    producers = {id(layer.output): layer.name for layer in network.layers}
    return [_row(layer, producers) for layer in network.layers]


def total(rows: list[LayerRow]) -> Totals:
    """Return the sums over the layers."""
    return Totals(
        parameters=sum(row.parameters for row in rows),
        trainable=sum(row.trainable for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def _row(layer: keras.Layer, producers: dict[int, str]) -> LayerRow:
    fed = [] if isinstance(layer, keras.layers.InputLayer) else layer.input
    positions = math.prod(layer.output.shape[1:-1])
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) >= 2)
    return LayerRow(
        name=layer.name,
        kind=type(layer).__name__,
        settings=", ".join(_settings(layer)),
        shape=tuple(layer.output.shape[1:]),
        parameters=sum(math.prod(weight.shape) for weight in layer.weights),
        trainable=sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        multiply_adds=positions * kernels if isinstance(layer, _COUNTED) else 0,
        inputs=tuple(producers[id(tensor)] for tensor in (fed if isinstance(fed, list) else [fed])),
    )


def _settings(layer: Any) -> list[str]:
    """Return the few settings that tell layers of one kind apart."""
    found = [str(getattr(layer, name)) for name in ("filters", "units") if hasattr(layer, name)]
    found += ["×".join(map(str, getattr(layer, name))) for name in ("kernel_size", "pool_size") if hasattr(layer, name)]
    strides = getattr(layer, "strides", (1, 1))
    if hasattr(layer, "kernel_size") and set(strides) != {1}:
        found.append(f"stride {strides[0]}")
    if isinstance(layer, keras.layers.Dropout):
        found.append(f"{layer.rate:g}")
    activation = getattr(layer, "activation", None)
    if activation not in (None, keras.activations.linear):
        found.append(activation.__name__)
    return found


def as_text(rows: list[LayerRow]) -> str:
    """Return the layers and their sums as a table of plain text."""
    sums = total(rows)
    cells = [("layer", "kind", "settings", "output", "parameters", "multiply-adds")]
    for row in rows:
        shape = "×".join(map(str, row.shape))
        cells.append((row.name, row.kind, row.settings, shape, f"{row.parameters:,}", f"{row.multiply_adds:,}"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    formats = [f"{{:{side}{width}}}" for side, width in zip("<<<<>>", widths, strict=True)]
    lines = ["  ".join(formats).format(*line) for line in cells]
    lines.append(
        f"{sums.parameters:,} parameters ({sums.trainable:,} trainable, {sums.non_trainable:,} not); "
        f"{sums.multiply_adds:,} multiply-adds a face"
    )
    return "\n".join(lines)


def main() -> None:
    """Print a network's layers, and draw it where asked."""
    from model.inspecting.drawing import draw  # noqa: PLC0415 - it imports this module
    from model.networks import NETWORKS, build, with_probabilities  # noqa: PLC0415 - describing needs none of them

    parser = argparse.ArgumentParser(prog="python -m model.summary", description=__doc__)
    parser.add_argument("name", choices=list(NETWORKS))
    parser.add_argument("--out", type=Path, metavar="FILE.svg", help="draw the network into this file")
    arguments = parser.parse_args()
    rows = describe(with_probabilities(build(arguments.name)))
    print(as_text(rows))  # noqa: T201 - the table is the program's output
    if arguments.out:
        arguments.out.write_text(draw(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
