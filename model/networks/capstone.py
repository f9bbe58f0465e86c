"""The network of the capstone that this project reproduces."""

from collections.abc import Sequence
from typing import Final

import keras
from keras import layers

from model.networks.parts import Activation, check_lists, faces_in, logits_out, penalty

HALVINGS: Final = 5
SMALLEST: Final = 2**HALVINGS


def capstone(
    *,
    side: int = 48,
    filters: Sequence[int] = (32, 64, 128, 512, 512, 512),
    kernel_sizes: Sequence[int] = (3, 3, 5, 3, 3, 3),
    activation: Activation = "relu",
    dropout: float = 0.25,
    l2: float = 0.0,
) -> keras.Model:
    """Build the capstone's network: six convolutions, three dense layers, 5,810,183 parameters at its defaults.

    From Hameed, "Leveraging Deep Learning For Emotion Recognition & Detection". Its layers and counts are
    published (6 Conv2D, 7 BatchNormalization, 5 MaxPooling2D, 7 Dropout, 3 Dense, 1 Flatten); its dropout rate is not.
    Arguments, result and errors are those of `model.networks.build`.
    """
    check_lists("capstone", {"filters": filters, "kernel sizes": kernel_sizes}, length=6)

    def convolve(x: keras.KerasTensor, index: int) -> keras.KerasTensor:
        size = kernel_sizes[index]
        return layers.Conv2D(
            filters[index], (size, size), padding="same", activation=activation, kernel_regularizer=penalty(l2)
        )(x)

    if side < SMALLEST:
        raise ValueError(f"capstone needs faces of at least {SMALLEST} pixels, found {side}")
    faces, x = faces_in(side)
    x = layers.Rescaling(1 / 255, name="scale")(x)
    x = convolve(x, 0)
    for index in range(1, HALVINGS + 1):
        x = convolve(x, index)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    for units in (256, 512):
        x = layers.Dense(units, activation=activation, kernel_regularizer=penalty(l2))(x)
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(dropout)(x)
    return keras.Model(faces, logits_out(x, l2), name="capstone")
