"""A network as ONNX, for machines that have no Keras."""

import warnings
from pathlib import Path

import keras
import numpy as np
import onnxruntime

BATCH = 256
"""Faces to a forward pass of `onnx_probabilities`; it bounds the memory."""


def export_onnx(network: keras.Model, path: Path) -> None:
    """Write a network, from uint8 [n, side, side] to float32 [n, 7], as an ONNX file with the same input and output."""
    side = network.input_shape[1]
    network(np.zeros((1, side, side), np.uint8))  # Keras exports what has been called
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the converter, on its own use of NumPy
        network.export(path, format="onnx", verbose=False)


def onnx_probabilities(path: Path, faces: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime says of faces, uint8 [n, side, side]: float32 [n, 7]."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: faces[at : at + BATCH]})[0] for at in range(0, len(faces), BATCH)]
    return np.concatenate(parts)
