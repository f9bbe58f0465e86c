"""Frames of a picture, a video or a camera, with a sentence where they can't be had."""

import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageOps

from tasks.common.errors import UserError

FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP")

MAX_PIXELS: Final = 50_000_000
"""Most pixels of a picture or a frame."""

WAIT: Final = 10.0
"""Seconds that a camera may take to give its first frame."""

# OpenCV and what it plays with would print a traceback's worth of lines for each broken file.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True)
class Frame:
    """A picture of a moving thing.

    Attributes:
        number: from 0; of a video, those that were skipped counted.
        time: seconds since the first frame; of a camera, by the clock.
        picture: uint8 [h, w, 3], in OpenCV's order of colours.
    """

    number: int
    time: float
    picture: np.ndarray


def read_picture(path: Path) -> np.ndarray:
    """Return a picture, uint8 [h, w, 3] in OpenCV's order of colours, turned as its EXIF data says.

    Raises:
        UserError: there is no such file, it is no picture, or it is too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a picture") from error
    return decode_picture(content, str(path))


def decode_picture(content: bytes, name: str, most: int = MAX_PIXELS) -> np.ndarray:
    """Return the picture that a file's bytes hold, of at most so many pixels, as `read_picture`; `name` is for errors.

    Pillow decodes it: it tells the size before room is made, and writes no lines of its own about damaged pictures,
    with which a stranger could fill a server's log.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            (width, height), fits = image.size, image.width * image.height <= most
            decoded = _eight_bits(ImageOps.exif_transpose(image)) if fits else None
    except Exception as error:  # Pillow raises what its formats raise
        raise UserError(f"{name}: not a picture, or a damaged one; expected jpg, png, bmp or webp") from error
    if decoded is None:
        raise UserError(f"{name}: found {width}x{height} pixels, expected at most {most:,} in all")
    return cv2.cvtColor(np.asarray(decoded), cv2.COLOR_RGB2BGR)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with three channels of 8 bits; of 16 bits, Pillow's own way would keep the low ones."""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    return image.convert("RGBA" if image.info.get("transparency") is not None else "RGB").convert("RGB")


class Video:
    """A video file."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            UserError: there is no such file, or it is none that OpenCV can play.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such file; expected a video")
        self.path, self._capture = path, cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise UserError(f"{path}: not a video that OpenCV can play, or a damaged one; try `ffmpeg -i FILE out.mp4`")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else 25.0
        self.count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Frames that the file says to have; 0 where it does not say."""
        self.read: int | None = None
        """Frames that it had, once all of them are read."""

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Yield every so many frames.

        Raises:
            UserError: not one frame can be read.
        """
        number = 0
        while True:
            got, picture = self._capture.read() if number % every == 0 else (self._capture.grab(), None)
            if not got:
                break
            if picture is not None:
                yield Frame(number, number / self.rate, picture)
            number += 1
        self._capture.release()
        if not number:
            raise UserError(
                f"{self.path}: not one frame can be read; the file is damaged, or its codec is unknown here"
            )
        self.read = number


def without_secrets(source: str) -> str:
    """Return the address of a stream without user, password and query, in which secrets may be; else what it is."""
    scheme, mark, rest = source.partition("://")
    host, slash, path = re.split(r"[?#]", rest)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if mark else source


class Pace:
    """Lets so many frames a second through, on average, of those that come at times of their own."""

    def __init__(self, most: float | None) -> None:
        self._gap, self._due = 1 / most if most else 0.0, float("-inf")

    def lets(self, now: float) -> bool:
        """Say whether the frame that comes now, in seconds, is let through."""
        if now < self._due:
            return False
        # From when it was due, not from now: else each frame that is late puts all later ones off. What was missed in a
        # pause isn't made up for.
        self._due = max(self._due + self._gap, now)
        return True


class Camera:
    """A camera by its index, or a stream by its address."""

    def __init__(self, source: str) -> None:
        """Open it.

        Raises:
            UserError: there is none, or it gives no picture.
        """
        self._capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
        if not self._capture.isOpened():
            kind = f"camera {source}" if source.isdigit() else without_secrets(source)
            raise UserError(
                f"{kind}: can't be opened; is it plugged in, and used by no other program? Try another index"
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, and no queue
        self._source = without_secrets(source)

    def frames(self, most: float | None = None) -> Iterator[Frame]:
        """Yield frames as they come, at most so many a second, until the camera gives none any more.

        Raises:
            UserError: it gives none at all.
        """
        pace, opened, first, number = Pace(most), time.monotonic(), 0.0, 0
        while True:
            got, picture = self._capture.read()
            now = time.monotonic()
            if not got:
                if number or now - opened > WAIT:
                    break
                time.sleep(0.01)
                continue
            if not pace.lets(now):
                continue
            first = first if number else now
            yield Frame(number, now - first, picture)
            number += 1
        self._capture.release()
        if not number:
            raise UserError(f"camera {self._source}: gave no picture in {WAIT:.0f} s")
