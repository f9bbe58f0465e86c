"""Sets of posed faces whose file names say who is seen and what is shown: CK+48, JAFFE and KDEF. None has parts.

Lucey et al. 2010, "The Extended Cohn-Kanade Dataset (CK+)", cut to 48x48: `anger/S010_004_00000017.png`, with contempt
and without neutral. Lyons et al. 1998, "Coding Facial Expressions with Gabor Wavelets": `KA.AN1.39.tiff`. Lundqvist,
Flykt & Öhman 1998, "The Karolinska Directed Emotional Faces": `AF01ANFL.JPG`, session, person, expression, angle; both
sessions show the same persons, and the whole head stands in the middle of the picture.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from tasks.ingest.layout import IMAGES, Place, emotion_of
from tasks.ingest.sets.listing import Folder, Listing, Meaning, meanings, placed

MOST: Final = 0.9
"""Share of the images that are named as a set names them, from which on it is this set; the others have a fault."""

_CODES: Final = {"AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprise"}

Layout = tuple[Callable[[Sequence[str]], bool], Callable[[Folder], Listing]]


def _set(pattern: str, example: str, meaning: Callable[[re.Match[str], str], Meaning]) -> Layout:
    """Return how a set is told and listed whose file names match a pattern, with the person as `subject`."""
    names = re.compile(pattern, re.IGNORECASE)

    def is_told_by(paths: Sequence[str]) -> bool:
        images = [path for path in paths if path.lower().endswith(IMAGES)]
        fitting = sum(_means(path) is not None for path in images)
        return bool(images) and fitting >= MOST * len(images)

    def listing(folder: Folder) -> Listing:
        return Listing([_place(path) for path in folder.images()], [])

    def _means(path: str) -> Meaning | None:
        match = names.fullmatch(PurePosixPath(path).name)
        found = meaning(match, PurePosixPath(path).parent.name) if match else Meaning()
        return None if found == Meaning() else found

    def _place(path: str) -> Place:
        found = _means(path)
        match = names.fullmatch(PurePosixPath(path).name)
        if found is None or match is None:
            return placed(path, Meaning(), "Training", fault=f"found this name, expected such as {example}")
        return placed(path, found, "Training", subject=match["subject"].upper())

    return is_told_by, listing


def _by_code(codes: Mapping[str, str]) -> Callable[[re.Match[str], str], Meaning]:
    labels = meanings(codes)
    return lambda match, folder: labels.get(match["label"].upper(), Meaning())


def _by_folder(match: re.Match[str], folder: str) -> Meaning:
    emotion = emotion_of(folder)
    return Meaning(emotion, "contempt" if folder.lower() == "contempt" else None)


CK48: Final = _set(r"(?P<subject>S\d{3})_\d{3}_\d{8}\.png", "anger/S010_004_00000017.png", _by_folder)
JAFFE: Final = _set(
    r"(?P<subject>[A-Z]{2})\.(?P<label>[A-Z]{2})\d\.\d+\.tiff?", "KA.AN1.39.tiff", _by_code(_CODES | {"FE": "fear"})
)
KDEF: Final = _set(
    r"[AB](?P<subject>[FM]\d{2})(?P<label>[A-Z]{2})(FL|HL|S|HR|FR)\.JPE?G",
    "AF01ANFL.JPG",
    _by_code(_CODES | {"AF": "fear"}),
)
