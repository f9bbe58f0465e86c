"""A folder of images by label, brought to grey faces of 48x48."""

import hashlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from model.labels import LABELS
from tasks.common.console import progress
from tasks.common.files import sha256
from tasks.common.tables import Faces
from tasks.ingest.layout import Place, emotion_of, place
from tasks.ingest.pixels import SIDE
from tasks.ingest.source import BadRows, Source

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP")
MAX_PIXELS: Final = 50_000_000
"""Most pixels of an image: a large photograph, of which a few at a time fit into memory."""
MAX_BYTES: Final = 100 << 20
"""Largest file of one image."""
BATCH: Final = 256
"""Images that are read at once."""

# Pillow warns above a limit of its own; ours is lower, and an error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def image_paths(paths: list[str]) -> list[str]:
    """Return the files meant as faces: images, and all that lies in a folder named by a label."""
    return [
        path
        for path in paths
        if path.lower().endswith(SUFFIXES) or (path.count("/") and emotion_of(path.split("/")[-2]) is not None)
    ]


def read_images(folder: Path, paths: list[str], name: str, bad: BadRows) -> Source:
    """Read the images at `paths`, relative to `folder`; `name` is the source's.

    Raises:
        UserError: the folders hold more than one set, or there are more bad images than `bad` allows.
    """
    places, numbered = place(paths, name)
    digests: dict[str, str] = {}
    kept: list[int] = []
    faces = np.empty((len(places), SIDE, SIDE), np.uint8)
    with progress(f"reading {name}", len(places), "images") as bar:
        for row, (image, loaded) in enumerate(_load_all(folder, places)):
            digests[image.path] = loaded.sha256
            if isinstance(loaded.face, str):
                bad.add(name, image.path, loaded.face)
            else:
                faces[len(kept)] = loaded.face
                kept.append(row)
            bar.advance()
    return Source(
        name=name,
        layout="image folder",
        sha256=_digest(digests),
        faces=Faces(
            row=np.array(kept, np.int32),
            emotion=np.array([places[row].emotion for row in kept], np.int8),
            usage=np.array([places[row].usage for row in kept], object),
            pixels=faces[: len(kept)],
        ),
        rows=len(places),
        challenge_order=numbered,
    )


def to_face(content: bytes) -> np.ndarray:
    """Bring an image file to a grey face, uint8 [48, 48].

    A face that is grey and 48x48 already stays as it is. Others are turned as their EXIF data says, laid on black where
    they are transparent, brought to grey (ITU-R 601), cut to a square around the middle and resampled (Lanczos).

    Raises:
        ValueError: it is no whole image, or too large; the message says what was found and what was expected.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"found {image.width}x{image.height} pixels, expected at most {MAX_PIXELS:,} in all")
            grey = _grey(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise ValueError(f"found more pixels than the {MAX_PIXELS:,} that are accepted") from error
    except UnidentifiedImageError as error:
        raise ValueError("not an image; expected jpg, png, bmp or webp") from error
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        raise ValueError(f"truncated or damaged image ({error})") from error
    if grey.size != (SIDE, SIDE):
        grey = ImageOps.fit(grey, (SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bit, which Pillow would clip at 255
        return Image.fromarray((np.asarray(image).astype(np.int32) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "black"), opaque).convert("L")
    return image.convert("L")


@dataclass(frozen=True)
class _Loaded:
    """A file's SHA-256, and its face or the reason why it is none."""

    sha256: str
    face: np.ndarray | str


def _load_all(folder: Path, places: list[Place]) -> Iterator[tuple[Place, _Loaded]]:
    """Read images by a thread a core, and yield them in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            yield from zip(batch, pool.map(lambda image: _load(folder, image), batch), strict=True)


def _load(folder: Path, image: Place) -> _Loaded:
    path = folder / image.path
    if not path.is_file():
        return _Loaded("", "found a device or a link that leads nowhere, expected a file")
    if path.stat().st_size > MAX_BYTES:
        return _Loaded(sha256(path), f"found more than the {MAX_BYTES:,} bytes that are accepted of an image")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if image.emotion is None:
        return _Loaded(digest, f"its folder is named by no label; expected {', '.join(LABELS)}, or 0 to 6")
    try:
        return _Loaded(digest, to_face(content))
    except ValueError as error:
        return _Loaded(digest, str(error))


def _digest(digests: dict[str, str]) -> str:
    """Return one SHA-256 for the names and contents of files, whatever order they were read in."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
