"""What the network says of faces, by ONNX Runtime."""

import json
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.registry.champion import champion_of, check
from tasks.registry.manifest import INT8
from tasks.registry.places import registry
from tasks.registry.stores import Store

BATCH: Final = 64
"""Faces to a forward pass; it bounds the memory."""


class Predictor:
    """A network that is ready to be asked.

    Attributes:
        version: its name in the registry, or that of its file.
        side: height and width of the faces that it takes, in pixels; others are brought to it.
    """

    def __init__(self, content: bytes, version: str, *, threads: int = 1) -> None:
        """Open a network.

        Args:
            content: of a `model.onnx` from uint8 [n, side, side] to float32 [n, 7].
            version: its name.
            threads: that compute one forward pass.

        Raises:
            UserError: it is no such network.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no base but this
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{version}: not a network that ONNX Runtime can load ({reason})") from error
        (given, *more), (said, *_) = self._session.get_inputs(), self._session.get_outputs()
        shape = given.shape
        fits = given.type == "tensor(uint8)" and len(shape) == 3 and shape[1] == shape[2] and not more
        if not fits or said.shape[1:] != [len(LABELS)]:
            raise UserError(
                f"{version}: found a network from {given.type} {shape} to {said.shape}, expected one from uint8 "
                f"[n, side, side] to [n, {len(LABELS)}]"
            )
        self.version, self.side = version, int(shape[1])
        self._input = given.name

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Return the probability of each label, float32 [n, 7] in the order of `LABELS`, each row summing to 1.

        Args:
            faces: uint8 [n, h, w], grey, each cut to the face.
        """
        fitted = self._fitted(np.asarray(faces, np.uint8))
        parts = [
            self._session.run(None, {self._input: fitted[at : at + BATCH]})[0] for at in range(0, len(fitted), BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(LABELS)), np.float32)

    def _fitted(self, faces: np.ndarray) -> np.ndarray:
        if faces.shape[1:] == (self.side, self.side):
            return np.ascontiguousarray(faces)
        fitted = np.empty((len(faces), self.side, self.side), np.uint8)
        for index, face in enumerate(faces):
            fitted[index] = fit(face, self.side)
        return fitted


def fit(face: np.ndarray, side: int) -> np.ndarray:
    """Return a grey face, uint8 [h, w], as uint8 [side, side]: averaged where it shrinks, else bilinear."""
    smaller = min(face.shape) >= side
    return cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def champion(
    store: Store | None = None, *, version: str | None = None, float32: bool = False, threads: int = 1
) -> Predictor:
    """Open the registry's champion, or another version of it, whose files are all what its manifest says.

    Args:
        store: the registry; by default that of the project.
        version: a version's name, in the champion's place.
        float32: take the network as it was judged also where the version has it in 8-bit integers, which is quicker
            and says nearly the same: the version's card has how nearly.
        threads: as `Predictor` takes them.

    Raises:
        UserError: there is none, or it is not whole.
    """
    store = store or registry()
    if version is None:
        found = champion_of(store)
        if found is None:
            raise UserError(
                f"{store.address}: there is no champion yet; `make promote` makes one, or name a model.onnx"
            )
        version = found.version
    files = check(store, version).files
    place, name = f"versions/{version}", "model.onnx" if float32 or INT8 not in files else INT8
    network, labels = store.read(f"{place}/{name}"), store.read(f"{place}/labels.json")
    if network is None or labels is None:
        raise UserError(f"{store.address}: {version} has no {name} or no labels.json; publish it again")
    if tuple(json.loads(labels.content)["labels"]) != LABELS:
        raise UserError(f"{store.address}: {version} has other labels than {', '.join(LABELS)}; publish it again")
    return Predictor(network.content, version, threads=threads)


def open_predictor(model: Path | None, *, float32: bool = False, threads: int = 1) -> Predictor:
    """Open a `model.onnx`, or, without one, the registry's champion; `float32` as `champion` takes it.

    Raises:
        UserError: there is no such file, or it is no such network.
    """
    if model is None:
        return champion(float32=float32, threads=threads)
    try:
        return Predictor(model.read_bytes(), model.name, threads=threads)
    except OSError as error:
        raise UserError(f"{model}: {error.strerror}; expected the model.onnx of a version") from error
