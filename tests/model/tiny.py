"""Tiny networks in the form in which a trained one is saved."""

import keras
import numpy as np
from keras import layers

SIDE = 48


def tiny(*, flat: bool = False, side: int = SIDE, seed: int = 0) -> keras.Model:
    """Return a network with random weights and one convolution; `flat` flattens its maps instead of averaging them."""
    keras.utils.set_random_seed(seed)
    faces = keras.Input((side, side), dtype="uint8", name="faces")
    x = layers.Reshape((side, side, 1))(faces)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(8, 5, strides=2, activation="relu")(x)
    x = layers.MaxPooling2D(4)(x)
    x = layers.Flatten()(x) if flat else layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(7, name="logits", kernel_initializer=keras.initializers.RandomNormal(stddev=2))(x)
    return keras.Model(faces, layers.Softmax(dtype="float32")(x), name="tiny")


def noise(faces: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """Return faces of noise, uint8 [faces, side, side]."""
    return np.random.default_rng(seed).integers(0, 256, (faces, side, side), dtype=np.uint8)
