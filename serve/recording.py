"""Going through frames: look, draw, write, and say how far it is."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from serve.drawing import draw
from serve.frames import Frame
from serve.looking import Watcher
from serve.records import land, records
from serve.timeline import Timeline
from tasks.common.console import Bar
from tasks.common.errors import UserError


@dataclass(frozen=True)
class Summary:
    """What came of it: frames, faces in all of them, frames a second, and how often each label was likeliest."""

    frames: int
    faces: int
    rate: float
    labels: dict[str, int]

    def __str__(self) -> str:
        told = ", ".join(f"{label} {count:,}" for label, count in sorted(self.labels.items(), key=lambda one: -one[1]))
        return f"{self.frames:,} frames at {self.rate:.1f} a second, {self.faces:,} faces{': ' if told else ''}{told}"


def record(frames: Iterator[Frame], looking: Watcher, options: argparse.Namespace, rate: float, bar: Bar) -> Summary:
    """Look at each frame, and write what the options ask for.

    Whoever interrupts it with Ctrl-C keeps what was seen until then, and before the first frame what was there.

    Args:
        frames: in their order.
        looking: at each of them.
        options: `json`, `csv`, `out` and `timeline`, each a path or None.
        rate: frames a second of the video that is written, which keeps to the frames' times.
        bar: advanced by each frame.
    """
    timeline, faces_seen, count, labels = Timeline(), 0, 0, dict[str, int]()
    start = perf_counter()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        written = stack.enter_context(records(options.json, options.csv))
        film = stack.enter_context(filming(options.out, rate)) if options.out else None
        for frame in frames:
            faces = looking.look(frame.picture, frame.time)
            written.write(frame.time, frame.number, faces, looking.predictor.version)
            timeline.add(frame.time, faces)
            if film:
                film.take(draw(frame.picture, faces), frame.time)
            for face in faces:
                labels[face.label] = labels.get(face.label, 0) + 1
            faces_seen, count = faces_seen + len(faces), count + 1
            bar.advance(1, f"{count / (perf_counter() - start):.1f} frames/s")
    taken = max(perf_counter() - start, 1e-9)
    if options.timeline and count:
        timeline.draw(options.timeline)
    return Summary(count, faces_seen, count / taken, labels)


class Film:
    """Makes a video that lasts as long as what it shows, however unevenly that came.

    A picture stays until the next one came; of several in the time of one, the first is shown.
    """

    def __init__(self, path: Path, part: Path, rate: float) -> None:
        """Take the file's name, for errors, where it is written until it is whole, and its frames a second."""
        self._path, self._part, self._rate = path, part, rate
        self._writer: cv2.VideoWriter | None = None
        self._start, self._last = 0.0, np.empty(0)
        self.count = 0
        """Frames that are written."""

    def take(self, picture: np.ndarray, time: float) -> None:
        """Take a picture, uint8 [h, w, 3], all of one size, and its time in seconds, later than the one before.

        Raises:
            UserError: OpenCV can't write such a video.
        """
        writer = self._opened(picture, time)
        place = round((time - self._start) * self._rate)
        while self.count < place:
            writer.write(self._last)
            self.count += 1
        if self.count == place:
            writer.write(picture)
            self.count += 1
        self._last = picture

    def _opened(self, picture: np.ndarray, time: float) -> cv2.VideoWriter:
        if self._writer is None:
            size = picture.shape[1], picture.shape[0]
            self._writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
            if not self._writer.isOpened():
                raise UserError(f"{self._path}: OpenCV can't write such a video; name it .mp4")
            self._start = time
        return self._writer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()


@contextmanager
def filming(path: Path, rate: float) -> Iterator[Film]:
    """Make a video of so many frames a second, which keeps to the times of its pictures; it is there once it has any.

    Raises:
        UserError: OpenCV can't write such a video.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix or '.mp4'}")
    made = Film(path, part, rate)
    try:
        yield made
    finally:
        made.close()
        land(part, path, seen=made.count > 0)
