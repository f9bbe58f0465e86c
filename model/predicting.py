"""What a saved network says of faces."""

import statistics
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from model.labels import LABELS
from model.training.augmentation import warp


class NetworkError(ValueError):
    """A network, or its file, is not what it should be; the message says what was found and what was expected."""


def load_network(path: Path) -> keras.Model:
    """Load a network that ends with probabilities, without running any code that the file may hold.

    Returns:
        A model from uint8 [n, side, side] to float32 [n, 7], each row summing to 1.

    Raises:
        NetworkError: there is no such file, it is not a whole `.keras` file, or its network has another shape.
    """
    if not path.exists():
        raise NetworkError("no such file")
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise NetworkError(f"not a network that can be loaded ({reason})") from error
    given, said = network.input_shape, network.output_shape
    if len(given) != 3 or given[1] != given[2] or said != (None, len(LABELS)):
        raise NetworkError(f"found a network from {given} to {said}, expected one from (None, side, side) to (None, 7)")
    return network


def predict(
    network: keras.Model,
    faces: np.ndarray,
    *,
    batch_size: int,
    flip: bool = False,
    turn: float = 0.0,
    ten_crop: bool = False,
) -> np.ndarray:
    """Return the probabilities of each label, averaged over views of each face where asked: all combinations of them.

    Args:
        network: as `load_network` returns it.
        faces: uint8 [n, side, side].
        batch_size: faces to a forward pass; it bounds the memory.
        flip: average over the face and its mirror image.
        turn: average over the face as it is and turned by so many degrees either way, as `warp` turns it; 0 does not.
        ten_crop: average over the four corners and the middle of the face and of its mirror image (Krizhevsky et al.
            2012). A crop is 44 of 48 pixels wide, as is usual on FER2013. Since the network takes whole faces, the
            crop is put into the middle and its edge repeated around it: enlarged, every view would be nearer than the
            faces that the network learned from.

    Returns:
        float32 [n, 7], each row summing to 1.

    Raises:
        NetworkError: the faces don't have the network's side, or the network gives no probabilities.
    """
    side = network.input_shape[1]
    if faces.shape[1:] != (side, side):
        found = " × ".join(map(str, faces.shape[1:]))
        raise NetworkError(f"the network takes faces of {side} × {side} pixels, found {found}")
    if len(faces) == 0:
        return np.zeros((0, len(LABELS)), np.float32)
    views = _views(faces, flip=flip, turn=turn, ten_crop=ten_crop)
    said = [_said_of(network, view, batch_size) for view in views]
    probabilities = np.stack(said).mean(axis=0, dtype=np.float64).astype(np.float32)
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise NetworkError("the network's outputs don't sum to 1: it is broken, or its last layer is no softmax")
    return probabilities


def _said_of(network: keras.Model, faces: np.ndarray, batch_size: int) -> np.ndarray:
    """Return what the network says, batch after batch; `keras.Model.predict` sets up a pipeline for each call."""
    starts = range(0, len(faces), batch_size)
    return np.concatenate([network.predict_on_batch(faces[start : start + batch_size]) for start in starts])


def _views(faces: np.ndarray, *, flip: bool, turn: float, ten_crop: bool) -> Iterator[np.ndarray]:
    for crop in five_crops(faces) if ten_crop else (faces,):
        for view in turns(crop, turn) if turn else (crop,):
            yield view
            if flip or ten_crop:
                yield view[:, :, ::-1]


def turns(faces: np.ndarray, degrees: float) -> Iterator[np.ndarray]:
    """Yield the faces as they are and turned by so many degrees either way, each uint8 [n, side, side]."""
    yield faces
    for angle in (-degrees, degrees):
        n = len(faces)
        yield warp(faces, np.full(n, np.radians(angle)), np.ones(n), np.zeros((n, 2)))


def five_crops(faces: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the corners and the middle as `predict` takes them, each uint8 [n, side, side]."""
    side = faces.shape[1]
    cut = round(side / 12)
    frame = ((0, 0), (cut // 2, cut - cut // 2), (cut // 2, cut - cut // 2))
    for top, left in ((0, 0), (0, cut), (cut, 0), (cut, cut), (cut // 2, cut // 2)):
        crop = faces[:, top : top + side - cut, left : left + side - cut]
        yield np.pad(crop, frame, mode="edge")


def milliseconds_per_face(network: keras.Model, face: np.ndarray, repeats: int) -> float:
    """Return the median time of a forward pass of one face, uint8 [side, side], after one that warms up."""
    batch = face[None]
    network.predict_on_batch(batch)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        network.predict_on_batch(batch)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
