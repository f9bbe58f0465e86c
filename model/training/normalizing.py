"""Batch normalization in one kernel, where the device has one that Keras does not call."""

from typing import Any

import keras
from keras import layers

from model.kernels import fused_batch_normalization, has_fused_batch_normalization


def with_fused_normalization(network: keras.Model) -> keras.Model:
    """Return the network, sharing its weights, such that it trains with each batch normalization in one kernel.

    What it computes is the same but for rounding, in a third of the time or less: Keras makes a dozen operations of it,
    each of which goes through the maps, and in half precision has them all in float32. Where the device has no such
    kernel, the network itself is returned. In the saved network the layers are Keras's own.

    Args:
        network: of `model.networks.build`.
    """

    def swapped(layer: keras.Layer) -> keras.Layer:
        return _FusedBatchNormalization(layer) if _has_kernel(layer) else layer

    if not any(map(_has_kernel, network.layers)):
        return network
    faces = keras.Input(network.input_shape[1:], dtype=network.input.dtype)
    return keras.models.clone_model(network, input_tensors=faces, clone_function=swapped)


def _has_kernel(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.BatchNormalization) and has_fused_batch_normalization(layer)


class _FusedBatchNormalization(layers.Layer):
    """A layer of batch normalization over the last axis, with its own weights, that trains by one kernel."""

    def __init__(self, normalization: layers.BatchNormalization) -> None:
        super().__init__(name=normalization.name, dtype=normalization.dtype_policy)
        self._own, self.built = normalization, True

    def call(self, x: keras.KerasTensor, training: bool | None = None, mask: None = None) -> keras.KerasTensor:
        own = self._own
        if not (training and own.trainable):
            return own(x, training=False)
        kept, new = own.momentum, 1 - own.momentum
        maps = x if len(x.shape) == 4 else x[:, None, None, :]  # the units after a dense layer
        normalized, mean, variance = fused_batch_normalization(maps, own.gamma, own.beta, own.epsilon)
        own.moving_mean.assign(own.moving_mean * kept + mean * new)
        own.moving_variance.assign(own.moving_variance * kept + variance * new)
        return normalized if maps is x else normalized[:, 0, 0, :]

    def compute_output_spec(self, x: keras.KerasTensor, **_: Any) -> keras.KerasTensor:
        """Say what comes out without a try, which would count as a step of training."""
        return keras.KerasTensor(x.shape, self.compute_dtype)
