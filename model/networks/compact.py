"""A small residual network, made for CPUs."""

from collections.abc import Sequence
from typing import Final

import keras
from keras import layers

from model.networks.parts import Activation, check_lists, convolved, faces_in, logits_out, penalty, standardized

SQUEEZED: Final = 8
"""How many times fewer units the gate of a block has than maps, and the fewest that it has."""


def compact(
    *,
    side: int = 48,
    filters: Sequence[int] = (48, 96, 192),
    kernel_sizes: Sequence[int] = (3, 3, 3),
    blocks: Sequence[int] | None = None,
    activation: Activation = "relu",
    dropout: float = 0.2,
    l2: float = 0.0,
) -> keras.Model:
    """Build `compact`: a strided stem and stages of residual blocks, each stage at half the size of the one before.

    By default the first stage, whose maps are large and dear, has one block, and the others have two. The block is that
    of He et al. 2016 (two convolutions, each followed by batch normalization) with the gate of Hu et al. 2018
    ("Squeeze-and-Excitation Networks"); each face is brought to mean 0 and variance 1 first. Dense 3×3 convolutions,
    since CPUs run them far better than depthwise ones. Arguments, result and errors are those of
    `model.networks.build`.
    """
    blocks = blocks or (1, *[2] * (len(filters) - 1))
    check_lists("compact", {"filters": filters, "kernel sizes": kernel_sizes, "blocks": blocks})
    faces, x = faces_in(side)
    x = convolved(standardized(x), filters[0], 3, strides=2, l2=l2)
    x = layers.Activation(activation)(x)
    for stage, (width, kernel, count) in enumerate(zip(filters, kernel_sizes, blocks, strict=True)):
        for block in range(count):
            strides = 2 if stage > 0 and block == 0 else 1
            x = _residual(x, width, kernel, strides=strides, activation=activation, l2=l2)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(faces, logits_out(x, l2), name="compact")


def _residual(
    x: keras.KerasTensor, width: int, kernel: int, *, strides: int, activation: Activation, l2: float
) -> keras.KerasTensor:
    shortcut = x
    if strides != 1 or x.shape[-1] != width:
        halved = layers.AveragePooling2D(strides, padding="same")(x) if strides != 1 else x
        shortcut = convolved(halved, width, 1, l2=l2)
    x = layers.Activation(activation)(convolved(x, width, kernel, strides=strides, l2=l2))
    x = convolved(x, width, kernel, l2=l2)
    return layers.Activation(activation)(layers.Add()([_gated(x, l2), shortcut]))


def _gated(x: keras.KerasTensor, l2: float) -> keras.KerasTensor:
    """Return maps [n, h, w, c], each times a share, 0 to 1, that two dense layers give it by the means of all."""
    width = x.shape[-1]
    means = layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeezed = layers.Dense(max(SQUEEZED, width // SQUEEZED), "relu", kernel_regularizer=penalty(l2))(means)
    return layers.Multiply()([x, layers.Dense(width, "sigmoid", kernel_regularizer=penalty(l2))(squeezed)])
