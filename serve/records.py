"""What was seen, as JSON lines and as CSV: a line for every face of every frame."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TextIO

from model.labels import LABELS
from serve.looking import Seen
from tasks.common.errors import UserError

COLUMNS: Final = ("time", "frame", "version", "face", "left", "top", "width", "height", "brightness", "label", *LABELS)


class Records:
    """Writes what is seen to up to two files."""

    def __init__(self, lines: TextIO | None, table: TextIO | None) -> None:
        self._lines = lines
        self._table = csv.writer(table) if table else None
        self.frames = 0
        """Frames that were looked at, those without a face too."""
        if self._table:
            self._table.writerow(COLUMNS)

    def write(self, time: float, frame: int, faces: Sequence[Seen], version: str) -> None:
        """Write the faces of a frame, at a time in seconds, and which network says what they show."""
        self.frames += 1
        for face in faces:
            shares = [round(float(share), 4) for share in face.probabilities]
            row = [round(time, 3), frame, version, face.number, *face.box, round(face.brightness, 1), face.label]
            if self._table:
                self._table.writerow([*row, *shares])
            if self._lines:
                told = dict(zip(COLUMNS, row, strict=False)) | {"probabilities": dict(zip(LABELS, shares, strict=True))}
                self._lines.write(json.dumps(told) + "\n")


@contextmanager
def records(lines: Path | None, table: Path | None) -> Iterator[Records]:
    """Open the files beside where they are to be, and put them there at the end.

    Also where the block raises, once it looked at a frame: what was seen until then is whole lines, and worth keeping.
    """
    written: Records | None = None

    def begun() -> bool:
        return written is not None and written.frames > 0

    with ExitStack() as stack:
        files = [stack.enter_context(_beside(path, begun)) if path else None for path in (lines, table)]
        written = Records(*files)
        yield written


@contextmanager
def _beside(path: Path, begun: Callable[[], bool]) -> Iterator[TextIO]:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); name another file") from error
    with opened as file:
        ended = False
        try:
            yield file
            ended = True
        finally:
            file.flush()
            os.fsync(file.fileno())
            land(part, path, seen=ended or begun())


def land(part: Path, path: Path, *, seen: bool) -> None:
    """Put a part in its file's place; of a run that has seen nothing, remove it: what an earlier one wrote stays."""
    if seen:
        part.replace(path)
    else:
        part.unlink(missing_ok=True)
