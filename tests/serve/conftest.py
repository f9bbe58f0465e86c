"""A network, a real face, and a video of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from model.exporting import export_onnx
from model.networks import build, with_probabilities

FPS = 20


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with fresh weights, as ONNX; what it says of a face is its own, and the same each time."""
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    export_onnx(with_probabilities(build("compact", filters=[4, 8], kernel_sizes=[3, 3])), path)
    return path


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A photograph of one person, uint8 [512, 512, 3] in OpenCV's order of colours."""
    return np.ascontiguousarray(astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def picture(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "astronaut.png"
    cv2.imwrite(str(path), portrait)
    return path


@pytest.fixture(scope="session")
def film(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds: nobody, the person moving to the right, nobody."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    size = 320, 240
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    face = cv2.resize(portrait[20:220, 120:320], (160, 160), interpolation=cv2.INTER_AREA)
    for index in range(3 * FPS):
        frame = np.full((240, 320, 3), 90, np.uint8)
        if FPS <= index < 2 * FPS:
            left = 20 + 4 * (index - FPS)
            frame[40:200, left : left + 160] = face
        writer.write(frame)
    writer.release()
    return path
