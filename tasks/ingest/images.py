"""Image files, brought to grey square faces."""

import errno
import hashlib
import io
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from model.labels import LABELS
from tasks.common import spill
from tasks.common.console import progress, say
from tasks.common.files import sha256
from tasks.common.tables import VOTES, Faces
from tasks.ingest.layout import IMAGES, Place, emotion_of, place
from tasks.ingest.source import BadRows, Source

FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MAX_PIXELS: Final = 50_000_000
"""Most pixels of an image: a large photograph, of which a few at a time fit into memory."""
MAX_BYTES: Final = 100 << 20
"""Largest file of one image."""
BATCH: Final = 256
"""Images that are read at once."""
STRIP: Final = 1 << 20
"""Pixels that become grey at once: on the way there, a large photograph would lie in memory four times."""
NOWHERE: Final = "found a device or a link that leads nowhere, expected a file"
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by the orientation that its EXIF data names."""

# Pillow warns above a limit of its own; ours is lower, and an error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def image_paths(paths: list[str]) -> list[str]:
    """Return the files meant as faces: images, and all that lies in a folder named by a label."""
    return [path for path in paths if path.lower().endswith(IMAGES) or by_label(path)]


def by_label(path: str) -> bool:
    """Say whether a file lies in a folder that is named by a label."""
    return emotion_of(PurePosixPath(path).parent.name) is not None


def read_images(folder: Path, paths: list[str], name: str, bad: BadRows, side: int) -> Source:
    """Read the images at `paths`, relative to `folder`, by label; `name` is the source's, `side` that of the faces.

    Raises:
        UserError: the folders hold more than one set, or there are more bad images than `bad` allows.
    """
    places, numbered = place(paths, name)
    if any(PurePosixPath(image.path).parent.name.isdecimal() for image in places if image.emotion is not None):
        meant = ", ".join(f"{number} {label}" for number, label in enumerate(LABELS))
        say(f"{name}: folders are numbers, read as FER2013's: {meant}; where they are another set's, give --layout")
    source = read_places(folder, places, name, bad, side)
    return replace(source, challenge_order=numbered)


def read_places(
    folder: Path, places: list[Place], name: str, bad: BadRows, side: int, *, labels: Sequence[str] = ()
) -> Source:
    """Read images whose labels are known.

    Args:
        folder: what the paths are relative to.
        places: one a face, in the source's order.
        name: of the source.
        bad: takes each image that is no face.
        side: height and width of the faces, in pixels.
        labels: paths of the files that the labels were read from, which count for the source's SHA-256.
    """
    digests = {path: sha256(folder / path) for path in labels}
    kept: list[int] = []
    dropped: Counter[str] = Counter()
    faces = spill.empty((len(places), side, side))
    with progress(f"reading {name}", len(places), "images") as bar:
        for row, (image, loaded) in enumerate(_load_all(folder, places, side)):
            digests[image.path] = loaded.sha256
            if image.other:
                dropped[image.other] += 1
            elif isinstance(loaded.face, str):
                bad.add(name, image.path, loaded.face)
            else:
                faces[len(kept)] = loaded.face
                kept.append(row)
            bar.advance()
    return Source(
        name=name,
        layout="image folder",
        sha256=digest_of(digests),
        faces=_table([places[row] for row in kept], kept, faces[: len(kept)]),
        rows=len(places),
        challenge_order=False,
        dropped=dict(sorted(dropped.items())),
    )


def _table(places: list[Place], rows: list[int], pixels: np.ndarray) -> Faces:
    named, voted = any(image.subject for image in places), any(image.votes for image in places)
    none = (0,) * len(VOTES)
    return Faces(
        row=np.array(rows, np.int32),
        emotion=np.array([image.emotion for image in places], np.int8),
        usage=np.array([image.usage for image in places], object),
        pixels=pixels,
        votes=np.array([image.votes or none for image in places], np.uint8) if voted else None,
        subject=np.array([image.subject or "" for image in places], object) if named else None,
    )


def to_face(content: bytes, side: int = 48, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Bring an image file to a grey face, uint8 [side, side].

    A face that is grey and of this size already stays as it is. Others are turned as their EXIF data says, laid on
    black where they are transparent, brought to grey (ITU-R 601), cut to `box` (left, top, right, bottom, in pixels;
    what of it lies outside is left away) or else to a square around the middle, and resampled (Lanczos).

    Raises:
        ValueError: it is no whole image, or too large, or the box is not on it; the message says what was found and
            what was expected.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            grey = _decoded(image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"found more pixels than the {MAX_PIXELS:,} that are accepted") from error
    except UnidentifiedImageError as error:
        raise ValueError("not an image; expected jpg, png, bmp, webp or tiff") from error
    except (ValueError, MemoryError):
        raise
    except Exception as error:  # Pillow raises what its formats raise
        raise ValueError(f"truncated or damaged image ({error})") from error
    return np.asarray(_fitted(_cut(grey, box) if box else grey, side))


def with_side(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return faces, uint8 [n, s, s], as uint8 [n, side, side] (Lanczos); the same array where `side` is s."""
    if pixels.shape[1] == side:
        return pixels
    result = spill.empty((len(pixels), side, side))
    for index, face in enumerate(pixels):
        result[index] = np.asarray(_fitted(Image.fromarray(face), side))
    return result


def _fitted(grey: Image.Image, side: int) -> Image.Image:
    if grey.size == (side, side):
        return grey
    return ImageOps.fit(grey, (side, side), Image.Resampling.LANCZOS)


def _cut(grey: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(grey.width, box[2]), min(grey.height, box[3])
    if right <= left or bottom <= top:
        raise ValueError(f"found a box of {box} on {grey.width}x{grey.height} pixels, expected one inside")
    return grey.crop((left, top, right, bottom))


def _decoded(image: Image.Image) -> Image.Image:
    """Return an image in grey and upright."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"found {image.width}x{image.height} pixels, expected at most {MAX_PIXELS:,} in all")
    image.load()  # some formats have their EXIF data behind the pixels
    if image.mode in ("I", "F"):  # nothing says which of their numbers is white
        raise ValueError("found 32-bit or signed pixels, expected 8 or 16 bits without a sign")
    grey = Image.new("L", image.size)
    rows = max(1, STRIP // max(1, image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        grey.paste(_grey(strip), (0, top))
    turn = _turn(image)
    return grey if turn is None else grey.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return how an image is to be turned; Pillow's own way writes all EXIF data anew, and fails on a damaged tag."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the pixels are whole all the same
        return None


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # which Pillow would clip at 255
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


def _load_all(folder: Path, places: list[Place], side: int) -> Iterator[tuple[Place, _Loaded]]:
    """Read images by a thread a core, and yield them in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            yield from zip(batch, pool.map(lambda image: _load(folder, image, side), batch), strict=True)


def _load(folder: Path, image: Place, side: int) -> _Loaded:
    path = folder / image.path
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _Loaded("", NOWHERE)
        if status.st_size > MAX_BYTES:
            return _Loaded(sha256(path), f"found more than the {MAX_BYTES:,} bytes that are accepted of an image")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # the latter of a name that can be none
        return _Loaded("", _unread(path, error))
    digest = hashlib.sha256(content).hexdigest()
    if image.fault or image.other:
        return _Loaded(digest, image.fault or "")
    try:
        return _Loaded(digest, to_face(content, side, image.box))
    except ValueError as error:
        return _Loaded(digest, str(error))


def _unread(path: Path, error: OSError | ValueError) -> str:
    """Return why a file can't be read: where its folder may not be entered, nothing tells whether it is there."""
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return f"can't be read ({error.strerror}), expected a file that is yours to read; see `ls -ld` of its folders"
    return NOWHERE if path.is_symlink() else "no such file, expected it where the labels name it"


def digest_of(digests: dict[str, str]) -> str:
    """Return one SHA-256 for the names and contents of files, whatever order they were read in."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
