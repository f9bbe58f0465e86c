"""What the networks have in common: the way in, the way out, and the check of their lists."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import keras
from keras import layers

from model.labels import LABELS

Activation = Literal["relu", "gelu", "silu"]
"""What comes after a convolution: Nair & Hinton 2010; Hendrycks & Gimpel 2016; Elfwing et al. 2018, "swish" as well."""

CHANNEL: Final = "channel"
"""Name of the one layer that knows the size of the faces."""

LOGITS: Final = "logits"
"""Name of the last layer."""

VOTES: Final = "votes"
"""Name of the layer beside it, in training alone, that learns the crowd's votes."""


def faces_in(side: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, uint8 [n, side, side], and its image with one channel, uint8 [n, side, side, 1]."""
    faces = faces_of(side)
    return faces, channel(side)(faces)


def faces_of(side: int) -> keras.KerasTensor:
    """Return the input alone, uint8 [n, side, side]."""
    return keras.Input((side, side), dtype="uint8", name="faces")


def channel(side: int) -> keras.Layer:
    """Return the layer that gives faces their one channel."""
    return layers.Reshape((side, side, 1), dtype="uint8", name=CHANNEL)


def standardized(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return an image, uint8 [n, side, side, 1], with mean 0 and variance 1 in each face.

    It is float32 also where the rest computes in half precision.
    """
    dtype = keras.config.dtype_policy().variable_dtype
    x = layers.Rescaling(1 / 256, dtype=dtype, name="scale")(image)  # exact in every precision, on every backend
    # Layer normalization over a whole face, without weights, is the standardization of that face.
    return layers.LayerNormalization(
        axis=(1, 2, 3), epsilon=1e-4, center=False, scale=False, dtype=dtype, name="standardize"
    )(x)


def convolved(x: keras.KerasTensor, width: int, kernel: int, *, strides: int = 1, l2: float) -> keras.KerasTensor:
    """Return maps [n, h, w, c] after a convolution of `width` filters, kernel × kernel, and batch normalization."""
    x = layers.Conv2D(
        width,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,  # batch normalization brings its own
        kernel_initializer="he_normal",
        kernel_regularizer=penalty(l2),
    )(x)
    # As most frameworks have it: with Keras's 0.99 the moving averages lag behind in short trainings.
    return layers.BatchNormalization(momentum=0.9)(x)


def logits_out(features: keras.KerasTensor, l2: float) -> keras.KerasTensor:
    """Return logits float32 [n, 7] of features [n, k]; float32 also where the rest computes in half precision."""
    return layers.Dense(len(LABELS), kernel_regularizer=penalty(l2), dtype="float32", name=LOGITS)(features)


def penalty(l2: float) -> keras.Regularizer | None:
    """Return the L2 penalty of a kernel, or None for 0, which costs nothing."""
    return keras.regularizers.L2(l2) if l2 else None


def check_lists(name: str, lists: Mapping[str, Sequence[int]], length: int | None = None) -> None:
    """Raise ValueError unless the lists, by what they hold, are equally long (and of `length`, where given)."""
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1 or lengths != {length or max(lengths)}:
        found = " and ".join(f"{len(values)} {what}" for what, values in lists.items())
        raise ValueError(f"{name} takes {length or 'equally many'} {' and '.join(lists)}; found {found}")
