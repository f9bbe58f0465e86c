"""The one thing that Keras has no neutral call for: the gradient of a function."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def gradient(function: Callable[[Any], Any], value: np.ndarray) -> np.ndarray:
    """Return the gradient of `function` at `value`, with the backend that Keras runs on.

    Args:
        function: of `keras.ops` and layers; from a tensor shaped like `value` to a scalar.
        value: float32, any shape.

    Returns:
        float32, shaped like `value`.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax  # noqa: PLC0415 - only the backend in use may be imported

        return np.asarray(jax.grad(function)(value))
    tensor = keras.ops.convert_to_tensor(value)
    if backend == "torch":
        tensor.requires_grad_(True)
        function(tensor).backward()
        return keras.ops.convert_to_numpy(tensor.grad)
    import tensorflow as tf  # noqa: PLC0415

    with tf.GradientTape() as tape:
        tape.watch(tensor)
        result = function(tensor)
    return tape.gradient(result, tensor).numpy()
