"""FER+'s crowd votes: what ten people each saw in the challenge's faces.

Barsoum et al. (2016), "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution".
"""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.common.provenance import Origin, VotesSource
from tasks.common.tables import VOTED, VOTES, Faces
from tasks.ingest.sets.crowd import majorities
from tasks.ingest.source import Source
from tasks.ingest.streams import open_stream

CHUNK: Final = 1 << 20
USAGE: Final = "Usage"
IMAGE: Final = "Image name"
_IMAGE: Final = re.compile(r"fer([0-9]{1,9})\.png")
_COUNT: Final = re.compile("[0-9]{1,3}")

ENOUGH: Final = 50
"""Faces with votes from which on chance can't tell how often the crowd agrees with the labels."""
AGREED: Final = 0.4
"""Least share of them: of FER2013's faces the crowd's first choice is the label of 65 %, sorted by label of 18 %."""


@dataclass(frozen=True)
class Votes:
    """Crowd votes in the challenge's order.

    Attributes:
        line: int [n], the line of the file that each row stands in.
        usage: str object [n].
        counts: uint8 [n, 10] in the order of `VOTES`.
    """

    line: np.ndarray
    usage: np.ndarray
    counts: np.ndarray


def join_votes(source: Source, path: Path, origin: Origin | None = None) -> tuple[Faces, VotesSource]:
    """Give each face of a source its votes.

    Args:
        source: whose rows are the challenge's.
        path: of FER+'s `fer2013new.csv`.
        origin: the store that the file was fetched from.

    Raises:
        UserError: the rows of the source aren't the challenge's, the file is no votes file, its number of rows or
            the Usage of one of them isn't the source's, or the votes speak of other faces.
    """
    if not source.challenge_order:
        raise UserError(
            f"{path.name}: can't be joined to {source.name}, whose order isn't the challenge's; expected the "
            "challenge's CSV, or images that are all named by Usage and row, as Training_00000012.png"
        )
    votes = read_votes(path)
    if len(votes.line) != source.rows:
        which = "no face" if len(votes.line) > source.rows else "no votes"
        raise UserError(
            f"{path.name}: found {len(votes.line):,} rows, expected {source.rows:,} as in {source.name}: row "
            f"{min(len(votes.line), source.rows)} has {which}; give the votes file of this source"
        )
    faces = source.faces
    differ = np.flatnonzero(votes.usage[faces.row] != faces.usage)
    if len(differ):
        row = faces.row[differ[0]]
        raise UserError(
            f"{path.name}, line {votes.line[row]} (row {row}): Usage is {votes.usage[row]!r}, expected "
            f"{faces.usage[differ[0]]!r} as in {source.name}; give the votes file of this source"
        )
    faces = replace(faces, votes=votes.counts[faces.row])
    _check_agreement(faces, path.name, source.name)
    return faces, VotesSource(source=path.name, sha256=sha256(path), origin=origin)


def _check_agreement(faces: Faces, name: str, source: str) -> None:
    """Refuse votes that seldom name the label: of a source that was sorted anew, number of rows and Usage may fit."""
    votes = np.asarray(faces.votes)[:, VOTED]
    voted = votes.any(axis=1)
    first = votes[np.arange(len(votes)), faces.emotion] == votes.max(axis=1)  # or one of several
    share = first[voted].mean() if voted.any() else 1
    if np.count_nonzero(voted) >= ENOUGH and share < AGREED:
        raise UserError(
            f"{name}: its first choice is the label of {share:.1%} of the faces in {source}, expected about two "
            f"thirds: the rows of {source} stand in another order than the challenge's; give it as it was published"
        )


def labelled_by_crowd(source: Source) -> Source:
    """Put the majority of each face's votes in the place of its label; faces without such a one are dropped.

    Raises:
        UserError: the source has no votes.
    """
    faces = source.faces
    if faces.votes is None:
        raise UserError(f"{source.name}: has no crowd votes; give --votes fer2013new.csv, or leave --crowd-labels out")
    labels = majorities(faces.votes)
    kept = np.array([label.emotion is not None for label in labels])
    emotion = np.array([label.emotion for label in labels if label.emotion is not None], np.int8)
    dropped = Counter(label.other for label in labels if label.other) + Counter(source.dropped)
    return replace(source, faces=replace(faces.take(kept), emotion=emotion), dropped=dict(sorted(dropped.items())))


def read_votes(path: Path) -> Votes:
    """Read `fer2013new.csv`, plain or compressed: Usage, Image name and ten columns of votes, in any order.

    The rows are put in the order of the numbers in their image names. FER+ leaves out the names of pictures that show
    no face; where there are such rows, the others must stand in order already.

    Raises:
        UserError: it is not that file; the sentence gives the line.
    """
    lines = _lines(path)
    columns = [column.strip() for column in lines[0][1]] if lines else []
    missing = [column for column in (USAGE, IMAGE, *VOTES) if columns.count(column) != 1]
    if missing:
        found = ", ".join(columns)[:200]
        raise UserError(
            f"{path.name}: column {missing[0]} is missing or stands twice, found {found!r}; give FER+'s fer2013new.csv"
        )
    rows = [_row(fields, columns, f"{path.name}, line {line}") for line, fields in lines[1:]]
    order = _order([row.number for row in rows], [line for line, _ in lines[1:]], path.name)
    return Votes(
        line=np.array([lines[1 + i][0] for i in order], int),
        usage=np.array([rows[i].usage for i in order], object),
        counts=np.array([rows[i].counts for i in order], np.uint8).reshape(-1, len(VOTES)),
    )


@dataclass(frozen=True)
class _Row:
    usage: str
    number: int | None
    counts: list[int]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the fields of each line that isn't blank, with its number in the file."""
    try:
        with open_stream(path, path.name) as stream:
            text = b"".join(iter(lambda: stream.read(CHUNK), b"")).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [(reader.line_num, fields) for fields in reader if any(fields)]
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); give FER+'s fer2013new.csv") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path.name}: not a CSV in UTF-8 ({error}); give FER+'s fer2013new.csv") from error


def _row(fields: list[str], columns: list[str], where: str) -> _Row:
    if len(fields) != len(columns):
        raise UserError(f"{where}: found {len(fields)} fields, expected {len(columns)}; the line may be cut")
    values = dict(zip(columns, map(str.strip, fields), strict=True))
    image = values[IMAGE]
    match = _IMAGE.fullmatch(image)
    if image and not match:
        raise UserError(f"{where}: Image name is {image!r}, expected one such as fer0000012.png, or none; mend it")
    for vote in VOTES:
        if not _COUNT.fullmatch(values[vote]) or int(values[vote]) > 255:
            raise UserError(f"{where}: {vote} is {values[vote]!r}, expected a whole number from 0 to 255; mend it")
    return _Row(values[USAGE], int(match[1]) if match else None, [int(values[vote]) for vote in VOTES])


def _order(numbers: list[int | None], lines: list[int], name: str) -> list[int]:
    """Return where the rows stand that are to come first, second, … ."""
    named = [(number, i) for i, number in enumerate(numbers) if number is not None]
    ranked = sorted(named)
    for (number, _), (following, i) in pairwise(ranked):
        if number == following:
            raise UserError(f"{name}, line {lines[i]}: Image name {number} stands twice; remove one of the two rows")
    if len(named) == len(numbers):
        return [i for _, i in ranked]
    for (number, _), (following, i) in pairwise(named):
        if number > following:
            raise UserError(
                f"{name}, line {lines[i]}: Image name {following} follows {number}, and rows without a name have their "
                "place by those around them; expected ascending names; sort the file"
            )
    return list(range(len(numbers)))
