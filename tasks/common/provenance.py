"""Where the faces came from: written by `ingest`, carried into report and verdict."""

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tasks.common.files import write_json
from tasks.common.records import read_record


class LeftOut(BaseModel):
    """One part of a source that did not become a face, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str
    reason: str


class Teacher(BaseModel):
    """A network that was asked what it says of each face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Name of its file."""
    sha256: str


class Origin(BaseModel):
    """The store that a source was fetched from, and which version of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Without credentials."""
    etag: str | None
    """As the store gives it; of a prefix: a SHA-256 over the names, sizes and ETags of its objects."""
    version: str | None
    """Where the store keeps versions."""


class VotesSource(BaseModel):
    """The file of crowd votes that was joined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    sha256: str
    origin: Origin | None = None


class Part(BaseModel):
    """One of several sources that a table was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    layout: str
    sha256: str
    rows: int
    """Faces of it in the table."""
    origin: Origin | None = None


class Provenance(BaseModel):
    """What is known of `data/faces.parquet`. No date, no host, no folder of a machine: equal data, equal bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """The last part of the source's path, or `sample`; of several sources: all of them, with ` + ` between."""
    layout: str
    """`fer2013.csv`, `icml_face_data.csv`, `train.csv`, `image folder`, `images in Parquet`, `sample` or a data set's
    name, as `RAF-DB`; of an archive: its content's; of several sources: theirs, with ` + ` between."""
    sha256: str
    """Of the source's bytes; of a folder: of its sorted names and their bytes; of several sources: of their sums."""
    synthetic: bool
    """True where any of the faces are drawn: their scores say nothing of FER2013."""
    fingerprint: str
    """`Faces.fingerprint()` of the table."""
    rows: int
    labels: dict[str, int]
    """Faces by label name."""
    usages: dict[str, int]
    """Faces by Usage."""
    left_out: tuple[LeftOut, ...] = ()
    votes: VotesSource | None = None
    origin: Origin | None = None
    """None for what lay on this machine."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Images by a label that is none of the seven; they did not become faces."""
    parts: tuple[Part, ...] = ()
    """Of several sources."""
    crowd_labels: bool = False
    """Whether the labels are the majorities of the votes, and not those of the source; of several, of the first."""
    teachers: tuple[Teacher, ...] = ()
    """Whose mean probabilities stand beside the faces."""


_LATER: Final = ("origin", "dropped", "parts", "crowd_labels", "teachers")
"""Fields that came after data was pinned: where they hold nothing they are not written, so that it stays the same."""


def write_provenance(path: Path, provenance: Provenance) -> None:
    """Write as JSON."""
    empty: dict[str, Any] = {name: True for name in _LATER if not getattr(provenance, name)}
    if provenance.votes and not provenance.votes.origin:
        empty["votes"] = {"origin"}
    write_json(path, provenance.model_dump(exclude=empty))


def read_provenance(path: Path) -> Provenance:
    """Read what `write_provenance` wrote.

    Raises:
        UserError: the file is missing, can't be read or is not a provenance.
    """
    return read_record(Provenance, path, "a provenance", "run `python -m tasks.ingest SOURCE`")
