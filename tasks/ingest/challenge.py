"""The challenge's CSV: `fer2013.csv`, `icml_face_data.csv`, `train.csv`; a face a line, its pixels as numbers.

Goodfellow et al. (2013), "Challenges in Representation Learning: A report on three machine learning contests".
"""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tasks.common.errors import UserError
from tasks.common.spill import Growing
from tasks.common.tables import USAGES, Faces
from tasks.ingest.layout import usage_of_source
from tasks.ingest.pixels import FACE, SIDE, parse_many, parse_one, shown
from tasks.ingest.source import BadRows
from tasks.ingest.streams import Stream

BLOCK: Final = 256 << 10
"""Bytes read at once: about 30 rows, which stay in the processor's cache."""
MAX_LINE: Final = 1 << 20
"""Longest line; a face takes at most 9,216 bytes."""

_COLUMNS: Final = ("emotion", "pixels", "Usage")
_EMOTIONS: Final = {form.encode(): number for number in range(7) for form in (f"{number}", f"{number}.0")}
"""With the decimal that a table gets in which labels were missing once."""
_MARKS: Final = b' "\xef\xbb\xbf'
"""What may stand around a column's name: blanks, quotes, the mark of UTF-8."""
_USAGES: Final = {usage.lower().encode(): usage for usage in USAGES}


@dataclass(frozen=True)
class Header:
    """Where each column stands; `usage` is None where the file has none, and `part` is the Usage of all its faces."""

    emotion: int
    pixels: int
    usage: int | None
    part: str
    columns: int
    layout: str

    def fields(self, line: bytes) -> tuple[int, str, bytes]:
        """Return emotion, Usage and the text of the pixels of one line; ValueError says what is wrong with it."""
        fields = _split(line)
        if len(fields) != self.columns:
            raise ValueError(f"found {len(fields)} fields, expected {self.columns}; the line may be cut")
        emotion = fields[self.emotion].strip()
        if emotion.lower() == b"emotion":
            raise ValueError("found the header again, expected a face")
        if emotion not in _EMOTIONS:
            raise ValueError(f"emotion is {shown(emotion)}, expected 0 to 6")
        usage = self.part.encode() if self.usage is None else fields[self.usage].strip()
        if usage.lower() not in _USAGES:
            raise ValueError(f"Usage is {shown(usage)}, expected {', '.join(USAGES)}")
        pixels = fields[self.pixels].strip()
        if pixels[:1] == b"[" and pixels[-1:] == b"]":  # as NumPy writes an array
            pixels = pixels[1:-1].strip()
        return _EMOTIONS[emotion], _USAGES[usage.lower()], pixels


Lines = list[tuple[int, bytes]]
"""Lines that aren't blank, each with its number in the file, from 1."""


class _Table:
    """The faces read so far, and how many rows were met."""

    def __init__(self, header: Header, name: str, bad: BadRows) -> None:
        self.rows = 0
        self._header, self._name, self._bad = header, name, bad
        self._row: list[int] = []
        self._emotion: list[int] = []
        self._usage: list[str] = []
        self._pixels = Growing((FACE,))

    def add(self, lines: Lines) -> None:
        """Read some lines at once; one by one where any of them is no face as it is usually written."""
        try:
            fields = [self._header.fields(text) for _, text in lines]
        except ValueError:
            self._add_one_by_one(lines)
            return
        pixels = parse_many([text for _, _, text in fields])
        if pixels is None:
            self._add_one_by_one(lines)
            return
        self._row += range(self.rows, self.rows + len(lines))
        self._emotion += [emotion for emotion, _, _ in fields]
        self._usage += [usage for _, usage, _ in fields]
        self._pixels.append(pixels)
        self.rows += len(lines)

    def _add_one_by_one(self, lines: Lines) -> None:
        for number, text in lines:
            try:
                emotion, usage, numbers = self._header.fields(text)
                self._pixels.append(parse_one(numbers)[np.newaxis])
            except ValueError as error:
                self._bad.add(self._name, f"line {number} (row {self.rows})", str(error))
            else:
                self._row.append(self.rows)
                self._emotion.append(emotion)
                self._usage.append(usage)
            self.rows += 1

    def faces(self) -> Faces:
        """Return all of them."""
        return Faces(
            row=np.array(self._row, np.int32),
            emotion=np.array(self._emotion, np.int8),
            usage=np.array(self._usage, object),
            pixels=self._pixels.finish().reshape(-1, SIDE, SIDE),
        )


def read_challenge(stream: Stream, bad: BadRows) -> tuple[Faces, str, int]:
    """Read the whole file.

    Args:
        stream: of the file.
        bad: takes each row that is no face.

    Returns:
        the faces, the name of the layout, and how many rows the file has, bad ones included.

    Raises:
        UserError: the header isn't the challenge's, there is no row, or there are more bad rows than allowed.
    """
    blocks = _blocks(stream)
    first = next(blocks, None)
    if first is None:
        raise UserError(f"{stream.name}: the file is empty, expected a header and a face a line; fetch it again")
    header = read_header(first[0][1], stream.name)
    table = _Table(header, stream.name, bad)
    for lines in itertools.chain([first[1:]] if first[1:] else [], blocks):
        table.add(lines)
    if not table.rows:
        raise UserError(f"{stream.name}: found a header and no row, expected a face a line; fetch the file again")
    return table.faces(), header.layout, table.rows


def read_header(line: bytes, name: str) -> Header:
    """Find the columns, in any order and case; blanks around their names and other columns are accepted.

    Raises:
        UserError: it is no text, a column is missing or stands twice, or they aren't separated by commas.
    """
    _check_commas(line, name)
    try:
        names = next(csv.reader([line.decode("utf-8-sig")], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{name}: the first line is no header in UTF-8 ({error}); expected the challenge's CSV, an archive of it "
            "or of images"
        ) from error
    columns = [column.strip().lower() for column in names]
    places = {column: columns.index(column.lower()) for column in _COLUMNS if column.lower() in columns}
    twice = [column for column in places if columns.count(column.lower()) > 1]
    if twice:
        raise UserError(f"{name}: column {twice[0]} stands twice in the header; remove one of them")
    # Without Usage, all faces would be for training: a renamed Usage column mustn't lead there unseen.
    needed = _COLUMNS[:2] if len(columns) == 2 else _COLUMNS
    missing = [column for column in needed if column not in places]
    if missing:
        found = shown(", ".join(map(str.strip, names)).encode())
        raise UserError(f"{name}: column {missing[0]} is missing from the header, found {found}; rename or add it")
    return Header(
        emotion=places["emotion"],
        pixels=places["pixels"],
        usage=places.get("Usage"),
        part=usage_of_source(name) or USAGES[0],
        columns=len(columns),
        layout=_layout(names),
    )


def _check_commas(line: bytes, name: str) -> None:
    """Refuse a header that has the columns, but for the commas."""
    for mark, called in ((b";", "semicolons"), (b"\t", "tabs")):
        if {b"emotion", b"pixels"} <= {column.strip(_MARKS).lower() for column in line.split(mark)}:
            raise UserError(f"{name}: found a header separated by {called}, expected commas; write all lines so")


def _layout(names: list[str]) -> str:
    if len(names) == 2:
        return "train.csv"
    return "icml_face_data.csv" if any(name.startswith(" ") for name in names) else "fer2013.csv"


def _split(line: bytes) -> list[bytes]:
    """Return the fields of a line; the csv module, three times as slow, where there are quotes."""
    if b'"' not in line:
        return line.split(b",")
    try:
        fields = next(csv.reader([line.decode("latin-1")], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"found an unfinished quoted field ({error}), expected one line a face") from error
    return [field.encode("latin-1") for field in fields]


def _blocks(stream: Stream) -> Iterator[Lines]:
    """Yield the lines of a file, some at a time, never none."""
    number, rest = 1, b""
    while block := stream.read(BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > MAX_LINE:
            raise UserError(
                f"{stream.name}, line {number + len(whole)}: longer than {MAX_LINE:,} bytes, expected at most 9,216 of "
                "a face; this is not the challenge's CSV"
            )
        if lines := _numbered(whole, number):
            yield lines
        number += len(whole)
    if lines := _numbered([rest], number):
        yield lines


def _numbered(lines: list[bytes], first: int) -> Lines:
    texts = (line.strip() for line in lines)
    return [(number, text) for number, text in enumerate(texts, first) if text]
