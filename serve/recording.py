"""Going through frames: look, draw, write, and say how far it is."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from serve.drawing import draw
from serve.frames import Frame
from serve.looking import Watcher
from serve.records import records
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

    Whoever interrupts it with Ctrl-C keeps what was seen until then.

    Args:
        frames: in their order.
        looking: at each of them.
        options: `json`, `csv`, `out` and `timeline`, each a path or None.
        rate: frames a second of the video that is written.
        bar: advanced by each frame.
    """
    timeline, faces_seen, count, labels = Timeline(), 0, 0, dict[str, int]()
    start = perf_counter()
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        written = stack.enter_context(records(options.json, options.csv))
        film = stack.enter_context(video_writer(options.out, rate)) if options.out else None
        for frame in frames:
            faces = looking.look(frame.picture, frame.time)
            written.write(frame.time, frame.number, faces, looking.predictor.version)
            timeline.add(frame.time, faces)
            if film:
                film(draw(frame.picture, faces))
            for face in faces:
                labels[face.label] = labels.get(face.label, 0) + 1
            faces_seen, count = faces_seen + len(faces), count + 1
            bar.advance(1, f"{count / (perf_counter() - start):.1f} frames/s")
    taken = max(perf_counter() - start, 1e-9)
    if options.timeline:
        timeline.draw(options.timeline)
    return Summary(count, faces_seen, count / taken, labels)


@contextmanager
def video_writer(path: Path, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Give what takes pictures of one size, uint8 [h, w, 3], and makes a video of them; it is there at the end.

    Raises:
        UserError: OpenCV can't write such a video.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix or '.mp4'}")
    writers: list[cv2.VideoWriter] = []

    def take(picture: np.ndarray) -> None:
        if not writers:
            size = picture.shape[1], picture.shape[0]
            writers.append(cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), rate, size))
            if not writers[0].isOpened():
                raise UserError(f"{path}: OpenCV can't write such a video; name it .mp4")
        writers[0].write(picture)

    try:
        yield take
    finally:
        for writer in writers:
            writer.release()
        if part.exists():
            part.replace(path)
