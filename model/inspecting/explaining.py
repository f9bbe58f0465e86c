"""Where a network looked."""

from typing import Any

import keras
import numpy as np

from model.inspecting.gradients import gradient
from model.predicting import NetworkError


def grad_cam(network: keras.Model, faces: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return how much each place of a face spoke for a label (Grad-CAM, Selvaraju et al. 2017).

    The feature maps are the network's last ones of the size of its last convolution's, after normalization and
    activation; the score is the label's logit. It serves heads that average over the maps and heads that flatten them.

    Args:
        network: a functional model from uint8 [n, side, side] to probabilities [n, 7].
        faces: uint8 [n, side, side].
        label: integers [n], 0 to 6, the label to explain for each face.

    Returns:
        float32 [n, side, side], 0 to 1; the highest of each face is 1, or all are 0 where no place spoke for it.

    Raises:
        NetworkError: the network has no convolution.
    """
    maps, logits = _cut(network)
    body = keras.Model(network.inputs, maps)
    head = keras.Model(maps, logits)
    features = body.predict(faces, verbose=0)
    wanted = np.eye(head.output_shape[-1], dtype=np.float32)[label]

    def total(tensor: Any) -> Any:
        return keras.ops.sum(head(tensor, training=False) * wanted)  # faces don't mix: the sum's gradient is each one's

    weights = gradient(total, features).mean(axis=(1, 2), keepdims=True)
    heat = np.maximum((weights * features).sum(axis=-1, keepdims=True), 0)
    enlarged = keras.ops.image.resize(heat, faces.shape[1:], data_format="channels_last")
    heat = np.maximum(keras.ops.convert_to_numpy(enlarged)[..., 0], 0)
    highest = heat.max(axis=(1, 2), keepdims=True)
    return (heat / np.where(highest > 0, highest, 1)).astype(np.float32)


def _cut(network: keras.Model) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the feature maps at which to part the network, and its logits."""
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    if not convolutions:
        raise NetworkError(f"{network.name} has no convolution to look at")
    size = convolutions[-1].output.shape[1:3]
    maps = [
        layer.output for layer in network.layers if len(layer.output.shape) == 4 and layer.output.shape[1:3] == size
    ]
    last = network.layers[-1]
    return maps[-1], last.input if isinstance(last, keras.layers.Softmax) else last.output
