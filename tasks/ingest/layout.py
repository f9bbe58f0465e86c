"""What the path of an image says of it: label, Usage, number. The layouts in which image folders are handed around.

    [wrapping folders/][part/]label/name.png

A part is `train`, `test`, `PublicTest` and the like; a label any usual name of the seven, or its number. Releases of
the challenge name their files `PublicTest_00012345.png`: then the name tells Usage and order better than the folders,
unless it says another part than they do, as where somebody took a validation part of their own out of `train`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.common.tables import USAGES

IMAGES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Suffixes of image files, in small letters."""

_SYNONYMS: Final = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),
    "neutral": (),
}
_EMOTIONS: Final = {
    form: number
    for number, label in enumerate(LABELS)
    for name in (label, *_SYNONYMS[label])
    for form in (name, str(number), f"{number}{name}")
}
"""Number of each label by its name, its number, or both, as in `0_angry`."""

_PARTS: Final = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "testing": "PrivateTest",
    "privatetest": "PrivateTest",
}
_NAMED: Final = re.compile(rf"({'|'.join(USAGES)})_([0-9]{{1,18}})")


@dataclass(frozen=True)
class Place:
    """An image among the others.

    Attributes:
        path: relative to the folder, with `/`.
        emotion: 0 to 6, or None where `other` or `fault` says why.
        usage: of the part that it lies in, which the file's name may say more closely; `Training` where there are none.
        other: a label that is none of the seven: the image is left out and counted.
        fault: why no label is known: the image is a bad one.
        subject: who is seen, where the set says it.
        box: of the face in the image: left, top, right, bottom, in pixels; None for all of it.
        votes: a crowd's, in the order of `VOTES`.
    """

    path: str
    emotion: int | None
    usage: str
    other: str | None = None
    fault: str | None = None
    subject: str | None = None
    box: tuple[int, int, int, int] | None = None
    votes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Parsed:
    path: str
    emotion: int | None
    part: str | None
    wrapping: tuple[str, ...]
    named: tuple[str, int] | None


def place(paths: Sequence[str], name: str) -> tuple[list[Place], bool]:
    """Work out label, Usage and order of images.

    Args:
        paths: relative to the folder, with `/`.
        name: of the folder or archive, for errors; it is the images' part where nothing below it names one.

    Returns:
        the images in the source's own order, and whether that is the order of the numbers in the names of all of them
        (it is that of the paths otherwise, or where a number stands twice).

    Raises:
        UserError: the folders hold more than one set of images.
    """
    parsed = [_parse(path) for path in sorted(paths)]
    _check_one_set([image for image in parsed if image.emotion is not None], name)
    numbers = [image.named[1] for image in parsed if image.named]
    numbered = len(set(numbers)) == len(parsed)
    if numbered:
        parsed.sort(key=lambda image: image.named[1] if image.named else 0)
    said = {image.named[0] if image.named else None for image in parsed}
    own = usage_of_source(name) if len(said) == 1 else None  # names that say several parts know better
    return [_placed(image, own) for image in parsed], numbered


def _placed(image: _Parsed, own: str | None) -> Place:
    unnamed = f"its folder is named by no label; expected {', '.join(LABELS)}, or 0 to 6; of other sets, give --layout"
    usage = _usage(image.part or own, image.named[0] if image.named else None) or USAGES[0]
    return Place(image.path, image.emotion, usage, fault=unnamed if image.emotion is None else None)


def _usage(part: str | None, named: str | None) -> str | None:
    """Return what a file's name says where no folder does, or where it says which of the two test parts `test` is."""
    closer = part is None or (part == USAGES[2] and named != USAGES[0])
    return named if named and closer else part


def usage_of(folder: str) -> str | None:
    """Return the Usage of the part that a folder is named by, or None."""
    return _PARTS.get(_plain(folder))


def usage_of_source(name: str) -> str | None:
    """Return the Usage that a file or folder is named by as a whole, as `test.zip` is, or None."""
    return usage_of(name.rpartition("/")[2].partition(".")[0])


def emotion_of(folder: str) -> int | None:
    """Return the number, 0 to 6, of the label that a folder is named by, or None."""
    return _EMOTIONS.get(_plain(folder))


def _parse(path: str) -> _Parsed:
    file = PurePosixPath(path)
    folders = file.parts[:-1]
    part = usage_of(folders[-2]) if len(folders) > 1 else None
    match = _NAMED.fullmatch(file.stem)
    return _Parsed(
        path=path,
        emotion=emotion_of(folders[-1]) if folders else None,
        part=part,
        wrapping=folders[:-1] if part is None else folders[:-2],
        named=(match[1], int(match[2])) if match else None,
    )


def _check_one_set(images: list[_Parsed], name: str) -> None:
    sets = {image.wrapping: image for image in images}
    if len(sets) > 1:
        first, second = sorted(sets.values(), key=lambda image: image.path)[:2]
        raise UserError(
            f"{name}: {first.path} and {second.path} lie in different sets of images, or in folders that are named by "
            "no part; expected <label>/ or train/<label>/, validation/<label>/, test/<label>/; give one set"
        )
    if len({image.part is None for image in images}) > 1:
        inside = next(image for image in images if image.part)
        outside = next(image for image in images if not image.part)
        raise UserError(
            f"{name}: {inside.path} lies in a part, {outside.path} in none; expected all or none in train/, "
            "validation/, test/; move them"
        )


def _plain(name: str) -> str:
    return re.sub(r"[ _.-]", "", name).lower()
