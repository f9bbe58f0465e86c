"""Parts of a batch: each is normalized by its own faces, and a core of its own can compute it."""

import keras
from keras import layers, ops


def with_ghost_batches(network: keras.Model, parts: int) -> keras.Model:
    """Return the network, sharing its weights, such that it takes a batch in so many parts of equal size or nearly.

    Batch normalization then learns from the mean and variance of each part, a "ghost batch" (Hoffer et al. 2017, "Train
    longer, generalize better"), and keeps the moving average over all of them. Gradients and loss are those of the
    batch. No part waits for another one: see `model.devices.set_up`, which gives each a core.

    Args:
        network: from faces uint8 [n, side, side] to float32 [n, k].
        parts: 1 returns the network itself; batches need at least so many faces.
    """
    if parts == 1:
        return network
    faces = keras.Input(network.input_shape[1:], dtype=network.input.dtype)
    said = [network(_Part(index, parts)(faces)) for index in range(parts)]
    return keras.Model(faces, layers.Concatenate(axis=0, dtype="float32")(said), name=network.name)


class _Part(layers.Layer):
    """The part at `index`, of so many, of what comes: [n, …] to about [n / of, …]."""

    def __init__(self, index: int, of: int) -> None:
        super().__init__(trainable=False)
        self._index, self._of = index, of

    def call(self, batch: keras.KerasTensor) -> keras.KerasTensor:
        faces = ops.shape(batch)[0]
        return batch[faces * self._index // self._of : faces * (self._index + 1) // self._of]

    def compute_output_spec(self, batch: keras.KerasTensor) -> keras.KerasTensor:
        """Say the shape without a try: how many faces there are is not known yet."""
        return keras.KerasTensor((None, *batch.shape[1:]), batch.dtype)
