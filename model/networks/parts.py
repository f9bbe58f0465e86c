"""What the networks have in common: the way in, the way out, and the check of their lists."""

from collections.abc import Sequence

import keras
from keras import layers

from model.labels import LABELS


def faces_in(side: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, uint8 [n, side, side], and its image with one channel, uint8 [n, side, side, 1]."""
    faces = keras.Input((side, side), dtype="uint8", name="faces")
    return faces, layers.Reshape((side, side, 1), dtype="uint8", name="channel")(faces)


def logits_out(features: keras.KerasTensor, l2: float) -> keras.KerasTensor:
    """Return logits float32 [n, 7] of features [n, k]; float32 also where the rest computes in half precision."""
    return layers.Dense(len(LABELS), kernel_regularizer=penalty(l2), dtype="float32", name="logits")(features)


def penalty(l2: float) -> keras.Regularizer | None:
    """Return the L2 penalty of a kernel, or None for 0, which costs nothing."""
    return keras.regularizers.L2(l2) if l2 else None


def check_lists(name: str, filters: Sequence[int], kernel_sizes: Sequence[int], length: int | None = None) -> None:
    """Raise ValueError unless there are as many kernel sizes as filters (and `length` of both, where given)."""
    expected = length or len(filters)
    if len(filters) != expected or len(kernel_sizes) != expected:
        raise ValueError(
            f"{name} takes {length or 'equally many'} filters and kernel sizes; "
            f"found {len(filters)} filters and {len(kernel_sizes)} kernel sizes"
        )
