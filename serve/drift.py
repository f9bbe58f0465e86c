"""Whether what is seen live still looks like what was learnt from: `python -m serve.drift seen.jsonl`.

What the commands wrote with `--json` or `--csv` is held, for each network that looked, against what the same network
says of the test faces: how often each label is the likeliest, how sure it is, how bright the faces are. The measure is
the population stability index (Siddiqi 2006, "Credit Risk Scorecards"): below 0.1 nothing has moved, above 0.25 it is
time to look. The frames of one face count as one face.

The two are not come by quite alike: of a test face, the views that `evaluate` asks for are averaged (its mirror image,
turned either way), and it was cropped by whoever collected it; a live face is seen in one view a frame, averaged over
its frames, and cropped by the detector. So an index, that of the confidence above all, may stand above 0 from the
first day: what tells is that it grows.
"""

import argparse
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from model.labels import LABELS
from serve.records import COLUMNS
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.tables import read_faces, read_predictions
from tasks.registry.places import registry

MOVED: Final = 0.1
LOOK: Final = 0.25
"""Indices from which on something has moved, and from which on it is time to look."""

FEWEST: Final = 200
"""Faces without which nothing is said.

Of n faces in 10 classes, chance alone makes an index of about 9 / n where nothing has moved. One of the three reaches
`LOOK` so with 30 faces in most cases, with 50 in about three of ten, with 200 hardly ever; and with 100, the confidence
still passes for moved in every third case.
"""

BINS: Final = 10


@dataclass(frozen=True)
class Population:
    """Faces, one entry each.

    Attributes:
        label: the likeliest, 0 to 6.
        confidence: its probability, 0 to 1.
        brightness: mean grey level, 0 to 255.
    """

    label: np.ndarray
    confidence: np.ndarray
    brightness: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serve.drift", description=__doc__.splitlines()[0])
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="what --json or --csv wrote")
    logs = parser.parse_args().logs
    populations = seen([read_log(path) for path in logs])
    if not populations:
        raise UserError(f"{', '.join(map(str, logs))}: no face in these logs; look for longer, or lower --min-face")
    for version, live in populations.items():
        if len(live) < FEWEST:
            raise UserError(
                f"{version}: {len(live)} faces are too few to compare, expected {FEWEST} or more; look for longer"
            )
        moved = drift(learnt(version), live)
        for what, index in moved.items():
            say(f"{what:11} {index:6.3f}  {verdict(index)}")
        say(f"{version}, {len(live):,} faces: {advice(moved)}")


def verdict(index: float) -> str:
    """Say what an index means."""
    return "as learnt" if index < MOVED else "has moved" if index < LOOK else "far from what was learnt"


def advice(moved: dict[str, float]) -> str:
    """Say what to do."""
    far = [what for what, index in moved.items() if index >= LOOK]
    if far:
        return f"time to look at {' and '.join(far)}: at the light, the camera, the people, and at faces put right"
    return "nothing to do"


def read_log(path: Path) -> pd.DataFrame:
    """Return a log's lines, with the columns of `serve.records`.

    Raises:
        UserError: there is no such file, or it is no log.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if not text:  # JSON lines of frames without a face
            frame = pd.DataFrame(columns=COLUMNS)
        elif text[:1] == "{":
            rows = [json.loads(line) for line in text.splitlines()]
            frame = pd.DataFrame([row | row.pop("probabilities") for row in rows])
        else:
            frame = pd.read_csv(io.StringIO(text))
        return frame[list(COLUMNS)].astype({"version": str, **dict.fromkeys(("brightness", *LABELS), float)})
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected what --json or --csv wrote") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:  # pandas' own errors are among them
        raise UserError(f"{path}: not what --json or --csv of serve wrote; give such a file") from error


def seen(logs: list[pd.DataFrame]) -> dict[str, Population]:
    """Return the faces of several logs by the network that looked: of each face the means over its frames."""
    numbered = pd.concat([log.assign(log=index) for index, log in enumerate(logs)])
    means = numbered.groupby(["version", "log", "face"])[["brightness", *LABELS]].mean()
    return {str(version): _population(own) for version, own in means.groupby(level="version")}


def _population(means: pd.DataFrame) -> Population:
    probabilities = means[list(LABELS)].to_numpy()
    return Population(probabilities.argmax(axis=1), probabilities.max(axis=1), means["brightness"].to_numpy())


def learnt(version: str) -> Population:
    """Return what a network says of the test faces, and how bright they are.

    Args:
        version: of the registry; any other name stands for the network that lies here.

    Raises:
        UserError: there are no such predictions, or other faces lie here.
    """
    store, name, faces = registry(), f"versions/{version}/predictions.parquet", read_faces(paths.FACES)
    kept = store.read(name) if name in store.names("versions/") else None
    with tempfile.TemporaryDirectory() as folder:
        predicted = paths.PREDICTIONS
        if kept:
            predicted = Path(folder) / paths.PREDICTIONS.name
            predicted.write_bytes(kept.content)
        predictions = read_predictions(predicted)
    tested = faces.take(np.isin(faces.row, predictions.row))
    if len(tested) != len(predictions.row):
        raise UserError(f"{paths.FACES}: the faces that {version} was tested on are not there; bring its data back")
    brightness = tested.pixels.reshape(len(tested), -1).mean(axis=1)
    return Population(predictions.probabilities.argmax(axis=1), predictions.probabilities.max(axis=1), brightness)


def drift(before: Population, now: Population) -> dict[str, float]:
    """Return how far each of the three has moved, as population stability indices, 0 or more."""
    labels = [np.bincount(one.label, minlength=len(LABELS)) for one in (before, now)]
    return {
        "labels": stability(*labels),
        "confidence": _by_quantiles(before.confidence, now.confidence),
        "brightness": _by_quantiles(before.brightness, now.brightness),
    }


def _by_quantiles(before: np.ndarray, now: np.ndarray) -> float:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    return stability(*(np.bincount(np.searchsorted(edges, one), minlength=len(edges) + 1) for one in (before, now)))


def stability(before: np.ndarray, now: np.ndarray) -> float:
    """Return the population stability index of counts by class, integers [k]: the sum of (q - p)·log(q / p).

    Half a face is added to each class, so that an empty one doesn't make it infinite.
    """
    p, q = ((one + 0.5) / (one.sum() + 0.5 * len(one)) for one in (before, now))
    return float(((q - p) * np.log(q / p)).sum())


if __name__ == "__main__":
    main()
