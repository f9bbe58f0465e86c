"""FER+ as its authors' script writes it: the challenge's faces in three folders, each with `label.csv` of votes.

Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution". A
line reads `fer0000000.png,"(0, 0, 48, 48)",4,0,…`, ten votes after the name and the box. The label is the crowd's
majority; the votes themselves come with the face.
"""

import csv
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from tasks.common.errors import UserError
from tasks.common.tables import VOTES
from tasks.ingest.layout import Place
from tasks.ingest.sets.crowd import majorities
from tasks.ingest.sets.listing import Folder, Listing

USAGES: Final = {"fer2013train": "Training", "fer2013valid": "PublicTest", "fer2013test": "PrivateTest"}
LIST: Final = "label.csv"


def is_told_by(paths: Sequence[str]) -> bool:
    """Say whether one of the three folders has its list."""
    return any(_usage(path) for path in paths)


def listing(folder: Folder) -> Listing:
    """List the faces by part, each in its list's order.

    Raises:
        UserError: a line of a list is not as above.
    """
    lists = sorted((path for path in folder.paths if _usage(path)), key=lambda path: list(USAGES).index(_part(path)))
    return Listing([place for path in lists for place in _places(folder, path)], lists)


def _part(path: str) -> str:
    return PurePosixPath(path).parent.name.lower()


def _usage(path: str) -> str | None:
    return USAGES.get(_part(path)) if PurePosixPath(path).name.lower() == LIST else None


def _places(folder: Folder, path: str) -> list[Place]:
    images, counts = [], []
    for where, line in folder.lines(path):
        fields = next(csv.reader([line]))
        votes = [field.strip() for field in fields[2:]]
        if len(votes) != len(VOTES) or not all(vote.isascii() and vote.isdigit() and len(vote) < 3 for vote in votes):
            raise UserError(f"{where}: found {line[:60]!r}, expected a name, a box and {len(VOTES)} votes; mend it")
        images.append((PurePosixPath(path).parent / fields[0]).as_posix())
        counts.append([int(vote) for vote in votes])
    labels = majorities(np.array(counts, np.uint8).reshape(-1, len(VOTES)))
    return [
        Place(image, label.emotion, USAGES[_part(path)], other=label.other, votes=tuple(votes))
        for image, label, votes in zip(images, labels, counts, strict=True)
    ]
