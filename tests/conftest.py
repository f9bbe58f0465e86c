"""What several rooms' tests share: the real FER2013, where it lies beside the checkout."""

import csv
import math
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import prefect.main  # noqa: F401 - see below
import pytest
from PIL import Image

from tasks.common.processes import exclusive
from tasks.common.tables import VOTES, Faces
from tests.workspaces import finished

# Prefect, when it is imported, sets logging up anew and closes the handlers that are there. That of absl, which comes
# with TensorFlow, closes with it the file into which pytest captures: so Prefect comes first, whatever is collected.

pytest_plugins = ["tests.reliability"]
ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "fer2013"
SIDE, GRID = 48, 190  # faces.png is a GRID x GRID mosaic of SIDE x SIDE faces, row by row


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a script's background jobs, as these may be one, ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the whole, which take minutes: at the end, one of two processes would wait for them."""
    items.sort(key=lambda item: item.path.parent != ROOT / "tests")


@pytest.fixture(scope="session", autouse=True)
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep Prefect's notes out of the user's home, and the user's server and device lock out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))  # of what is started: there lies the device's lock
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.delenv("PREFECT_API_URL", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what JAX compiles in one process of the tests for the next ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(scope="session")
def finished_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one full run on few faces: to be copied, not changed. All processes of a test run share it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    done = base / "finished.done"
    with exclusive(base / "finished.lock", "another process of the tests", patience=math.inf):
        if not done.exists():
            (base / "finished").mkdir()
            finished(base / "finished")
            done.touch()
    return base / "finished"


@pytest.fixture(scope="session")
def real_faces() -> Faces:
    """All 35,887 faces of FER2013 with FER+'s votes; skips where they are not there."""
    if not (REAL / "faces.png").exists():
        pytest.skip(f"the real FER2013 is not at {REAL}")
    with (REAL / "labels.csv").open(newline="") as file:
        labels = list(csv.DictReader(file))
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    mosaic = np.asarray(Image.open(REAL / "faces.png"))
    Image.MAX_IMAGE_PIXELS = limit
    pixels = mosaic.reshape(GRID, SIDE, GRID, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)[: len(labels)]
    return Faces(
        row=np.array([label["row"] for label in labels], np.int32),
        emotion=np.array([label["emotion"] for label in labels], np.int8),
        usage=np.array([label["usage"] for label in labels], object),
        pixels=pixels,
        votes=np.array([[label[f"votes_{vote.lower()}"] for vote in VOTES] for label in labels], np.uint8),
    )


@pytest.fixture(scope="session")
def real_csv(real_faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return a function that writes `fer2013.csv` with so many real rows, spread evenly over the whole."""

    def write(rows: int) -> Path:
        path = tmp_path_factory.mktemp("real") / "fer2013.csv"
        few = real_faces.take(np.linspace(0, len(real_faces) - 1, rows).astype(int))
        with path.open("w") as file:
            file.write("emotion,pixels,Usage\n")
            for emotion, face, usage in zip(few.emotion, few.pixels, few.usage, strict=True):
                file.write(f"{emotion},{' '.join(map(str, face.ravel()))},{usage}\n")
        return path

    return write
