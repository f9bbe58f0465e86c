"""The plain deep network that the best published results on FER2013 come from; it wants a GPU."""

from collections.abc import Sequence

import keras
from keras import layers

from model.networks.parts import Activation, check_lists, convolved, faces_in, logits_out, penalty, standardized


def vgg(
    *,
    side: int = 48,
    filters: Sequence[int] = (64, 128, 256, 512),
    kernel_sizes: Sequence[int] = (3, 3, 3, 3),
    blocks: Sequence[int] | None = None,
    activation: Activation = "relu",
    dropout: float = 0.3,
    l2: float = 0.0,
) -> keras.Model:
    """Build `vgg`: stages of convolutions, each at half the size of the one before, and one dense layer.

    After Simonyan & Zisserman 2015, as Pramerdorfer & Kampel 2016 fit it to FER2013: by default two convolutions a
    stage, each followed by batch normalization, and dropout after each stage. Each face is brought to mean 0 and
    variance 1 first; the maps are averaged before the dense layer, so that faces of any size fit. Arguments, result and
    errors are those of `model.networks.build`; a block is one convolution.
    """
    blocks = blocks or [2] * len(filters)
    check_lists("vgg", {"filters": filters, "kernel sizes": kernel_sizes, "blocks": blocks})
    faces, x = faces_in(side)
    x = standardized(x)
    for width, kernel, count in zip(filters, kernel_sizes, blocks, strict=True):
        for _ in range(count):
            x = layers.Activation(activation)(convolved(x, width, kernel, l2=l2))
        x = layers.MaxPooling2D(padding="same")(x)
        x = layers.Dropout(dropout)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(filters[-1], use_bias=False, kernel_initializer="he_normal", kernel_regularizer=penalty(l2))(x)
    x = layers.Activation(activation)(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(dropout)(x)
    return keras.Model(faces, logits_out(x, l2), name="vgg")
