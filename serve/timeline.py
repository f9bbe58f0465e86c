"""What was seen over time, as a chart."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from model.labels import LABELS
from serve.drawing import COLOURS
from serve.looking import Seen
from tasks.common.errors import UserError
from tasks.common.files import replacing

BINS: Final = 400
"""Most columns of the chart."""

KINDS: Final = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "svg", "pdf", "eps", "ps")
"""Of images that the chart can be written as; the first where the file's name says none."""


def check_chart(path: Path | None) -> None:
    """Check that a chart can be written under such a name, before the hours that it is to tell of.

    Raises:
        UserError: that is not so.
    """
    if path is not None and kind_of(path) not in KINDS:
        raise UserError(f"{path}: a chart can't be written as {path.suffix}; expected {', '.join(KINDS)}, name it .png")


def kind_of(path: Path) -> str:
    """Return the kind of image that a file's name says."""
    return path.suffix.lstrip(".").lower() or KINDS[0]


@dataclass
class Timeline:
    """Gathers the mean probabilities of all faces of each frame."""

    times: list[float] = field(default_factory=list)
    means: list[np.ndarray] = field(default_factory=list)

    def add(self, time: float, faces: list[Seen]) -> None:
        """Add a frame, at a time in seconds; one without faces leaves a gap."""
        none = np.full(len(LABELS), np.nan, np.float32)
        self.times.append(time)
        self.means.append(np.mean([face.probabilities for face in faces], axis=0) if faces else none)

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Return times, float [k], and mean probabilities, float [k, 7], of at most `BINS` equal stretches."""
        times, means = np.array(self.times), np.array(self.means).reshape(-1, len(LABELS))
        count = min(BINS, len(times))
        if not count:
            return times, means
        edges = np.linspace(times[0], times[-1] + 1e-9, count + 1)
        which = np.clip(np.searchsorted(edges, times, "right") - 1, 0, count - 1)
        filled = ~np.isnan(means[:, 0])
        total = np.zeros((count, len(LABELS)))
        np.add.at(total, which[filled], means[filled])
        seen = np.bincount(which[filled], minlength=count)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return (edges[:-1] + edges[1:]) / 2, total / seen

    def draw(self, path: Path) -> None:
        """Write the chart as an image of the kind that the file's name says: emotions stacked, to 1 in each moment."""
        times, shares = self.shares()
        drawing = Figure(figsize=(10, 3.2), layout="constrained")
        axes = drawing.subplots()
        colours = ["#{2:02x}{1:02x}{0:02x}".format(*COLOURS[label]) for label in LABELS]
        if len(times):
            axes.stackplot(times, np.nan_to_num(shares).T, labels=LABELS, colors=colours)
            axes.set_xlim(times[0], max(times[-1], times[0] + 1e-3))
        axes.set(ylim=(0, 1), xlabel="seconds", ylabel="probability, mean of all faces")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        with replacing(path) as beside:
            drawing.savefig(beside, dpi=150, format=kind_of(path))
