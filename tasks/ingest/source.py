"""What every reader takes and gives."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tasks.common.errors import UserError
from tasks.common.provenance import LeftOut, Origin
from tasks.common.tables import Faces


@dataclass(frozen=True)
class Source:
    """Faces as a reader found them.

    Attributes:
        name: the last part of the source's path, or its name.
        layout: see `tasks.common.provenance.Provenance.layout`.
        sha256: of the source's bytes; of a folder: of its sorted names and their bytes.
        faces: what was read; `row` is a face's position in the source, bad rows counted.
        rows: all rows of the source, those left out included.
        challenge_order: the rows stand in the challenge's own order, so that FER+'s votes can be joined.
        synthetic: drawn, not photographed.
        origin: the store that it was fetched from; None for what lay on this machine.
        dropped: images by a label that is none of the seven; they are among `rows` and not among `faces`.
    """

    name: str
    layout: str
    sha256: str
    faces: Faces
    rows: int
    challenge_order: bool
    synthetic: bool = False
    origin: Origin | None = None
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetched:
    """What was brought from a store to this machine.

    Attributes:
        path: of a file or a folder.
        origin: where it lay.
        name: to be called by, where that is not the path's.
    """

    path: Path
    origin: Origin
    name: str | None = None


@dataclass(frozen=True)
class Wanted:
    """How a source is to be read.

    Attributes:
        side: height and width of the faces, in pixels.
        layout: a key of `tasks.ingest.sets.SETS`, `images` for images by label, or None to go by the files.
    """

    side: int = 48
    layout: str | None = None


USUAL: Final = Wanted()
"""Faces of FER2013's size, by what the files' names say."""


@dataclass
class BadRows:
    """The rows, or images, of a source that can't be read, of which `allowed` are let go."""

    allowed: int
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, source: str, where: str, reason: str) -> None:
        """Note a bad row of `source`.

        Raises:
            UserError: it is one more than allowed; the sentence gives the row, the reason and how many there are.
        """
        where = where.encode("utf-8", "replace").decode()  # a file's name may be no text
        if len(self.left_out) < self.allowed:
            self.left_out.append(LeftOut(where=where, reason=reason))
            return
        sentence = f"{source}, {where}: {reason}"
        if self.allowed:
            found = len(self.left_out) + 1
            raise UserError(f"{sentence}; found at least {found} bad rows, --skip-bad-rows allows {self.allowed}")
        raise UserError(f"{sentence}; mend it, or let bad rows go with --skip-bad-rows N")
