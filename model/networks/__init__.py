"""The networks, by name.

Each takes faces uint8 [n, side, side] and gives logits float32 [n, 7]; `with_probabilities` makes of it what is
saved and served. Reshaping and scaling are the first layers, so that training, evaluation and serving can't differ.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Final, TypedDict, Unpack

import keras

from model.networks.capstone import capstone
from model.networks.compact import compact
from model.networks.parts import CHANNEL, Activation, channel, faces_of
from model.networks.vgg import vgg

NETWORKS: Final[dict[str, Callable[..., keras.Model]]] = {"capstone": capstone, "compact": compact, "vgg": vgg}


class Knobs(TypedDict, total=False):
    """What a network can be changed in; None leaves a knob at the network's own value.

    Attributes:
        filters: of each convolution (`capstone`, 6) or stage (`compact`, `vgg`, any number).
        kernel_sizes: as many as filters.
        blocks: residual blocks (`compact`) or convolutions (`vgg`) of each stage; as many as filters.
        activation: after each convolution, and each dense layer but the last; the gates of `compact` keep theirs.
        dropout: share of units dropped, 0 to below 1.
        l2: factor of the squared kernels in the loss, 0 or more.
    """

    filters: Sequence[int] | None
    kernel_sizes: Sequence[int] | None
    blocks: Sequence[int] | None
    activation: Activation | None
    dropout: float | None
    l2: float


def build(name: str, *, side: int = 48, **knobs: Unpack[Knobs]) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        name: a key of `NETWORKS`.
        side: height and width of the faces, in pixels.
        knobs: of `Knobs`.

    Returns:
        A functional model from uint8 [n, side, side] to logits float32 [n, 7].

    Raises:
        ValueError: the name is unknown, the network has no such knob, or the lists don't fit it.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is named {name!r}; there are {', '.join(NETWORKS)}")
    given = {knob: value for knob, value in knobs.items() if value is not None}
    if foreign := given.keys() - signature(NETWORKS[name]).parameters.keys():
        raise ValueError(f"{name} has no {' and '.join(sorted(foreign))}; leave that at null")
    return NETWORKS[name](side=side, **given)


def at_side(network: keras.Model, side: int) -> keras.Model:
    """Return the network for faces of another size, sharing its weights; itself where the size is its own.

    Args:
        network: of `build`.
        side: height and width of the faces, in pixels.

    Raises:
        ValueError: its weights fit faces of its own size alone.
    """
    if network.input_shape[1] == side:
        return network

    def shared(layer: keras.Layer) -> keras.Layer:
        return channel(side) if layer.name == CHANNEL else layer

    return keras.models.clone_model(network, input_tensors=faces_of(side), clone_function=shared)


def with_probabilities(network: keras.Model) -> keras.Model:
    """Return the network, sharing its weights, with a softmax at its end: float32 [n, 7], each row summing to 1."""
    outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(network.output)
    return keras.Model(network.input, outputs, name=network.name)
