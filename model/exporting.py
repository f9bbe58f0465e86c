"""A network as ONNX, for machines that have no Keras."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH: Final = 256
"""Faces to a forward pass of `onnx_probabilities`; it bounds the memory."""

CALIBRATED: Final = 32
"""Faces to a forward pass of `quantize_onnx`, over which the ranges of maps are averaged."""


def export_onnx(network: keras.Model, path: Path) -> None:
    """Write a network, from uint8 [n, side, side] to float32 [n, 7], as an ONNX file with the same input and output."""
    side = network.input_shape[1]
    network(np.zeros((1, side, side), np.uint8))  # Keras exports what has been called
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the converter, on its own use of NumPy
        network.export(path, format="onnx", verbose=False)


def quantize_onnx(path: Path, faces: np.ndarray, out: Path) -> None:
    """Write an ONNX network again, with its convolutions in 8-bit integers: a quarter of the size, and faster.

    Static quantization after training (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference"): a scale for each filter, and one for each map from what `faces` make of it,
    averaged over batches. Weights keep to 7 bits, so that sums don't saturate on processors without VNNI. Equal inputs
    give equal bytes.

    Args:
        path: of `export_onnx`.
        faces: uint8 [n, side, side], some hundred that look like those to come.
        out: file to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        simplified = Path(folder) / "simplified.onnx"
        quant_pre_process(path, simplified, skip_symbolic_shape=True)
        quantize_static(
            simplified,
            out,
            _Calibration(path, faces),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"CalibMovingAverage": True},
        )


class _Calibration(CalibrationDataReader):
    """Gives faces in batches."""

    def __init__(self, path: Path, faces: np.ndarray) -> None:
        (given,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()
        self._batches = ({given.name: batch} for batch in _batches(faces, CALIBRATED))

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


def _batches(faces: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(faces), size):
        yield faces[start : start + size]


def onnx_probabilities(path: Path, faces: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime says of faces, uint8 [n, side, side]: float32 [n, 7]."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: batch})[0] for batch in _batches(faces, BATCH)])
