"""Which reader takes which source: one for `s3://…` or another data set is a module of its own and one entry here."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.common.errors import UserError
from tasks.ingest.local import read_path
from tasks.ingest.source import USUAL, BadRows, Source, Wanted

Reader = Callable[[str, BadRows, Path, Wanted], Source]
"""Takes the source as it was given, what collects bad rows, a folder to work in that is removed afterwards, and how."""


def read_sample(source: str, bad: BadRows, work: Path, wanted: Wanted) -> Source:
    """Draw the embedded sample."""
    from tasks.ingest.images import with_side  # noqa: PLC0415
    from tasks.ingest.sample import draw_sample  # noqa: PLC0415

    faces = draw_sample()
    faces = replace(faces, pixels=with_side(faces.pixels, wanted.side))
    fingerprint = faces.fingerprint()
    return Source("sample", "sample", fingerprint, faces, len(faces), challenge_order=False, synthetic=True)


def read_s3(source: str, bad: BadRows, work: Path, wanted: Wanted) -> Source:
    """Read from an object store."""
    from tasks.ingest import s3  # noqa: PLC0415 - boto3 takes a while to come

    return s3.read_s3(source, bad, work, wanted)


def read_web(source: str, bad: BadRows, work: Path, wanted: Wanted) -> Source:
    """Read from the web."""
    from tasks.ingest import web  # noqa: PLC0415

    return web.read_web(source, bad, work, wanted)


def read_kaggle(source: str, bad: BadRows, work: Path, wanted: Wanted) -> Source:
    """Read a data set of Kaggle."""
    from tasks.ingest import kaggle  # noqa: PLC0415

    return kaggle.read_kaggle(source, bad, work, wanted)


READERS: Final[dict[str, Reader]] = {
    "sample": read_sample,
    "s3:": read_s3,
    "https:": read_web,
    "http:": read_web,
    "kaggle:": read_kaggle,
}
"""By name, such as `sample`, or by scheme with its colon, such as `s3:`; all else is a path."""


def read_source(source: str, bad: BadRows, work: Path, wanted: Wanted = USUAL) -> Source:
    """Read faces from wherever `source` says.

    Raises:
        UserError: there is no reader for it, or its reader finds it bad.
    """
    if not source.strip():  # which as a path would be the folder that the command runs in
        raise UserError("the source is empty; expected a path, `sample`, or an address; for this folder give .")
    scheme = re.match("[A-Za-z][A-Za-z0-9+.-]+:", source)
    reader = READERS.get(scheme[0].lower() if scheme else source)
    if reader is not None:
        return reader(source, bad, work, wanted)
    if scheme and not Path(source).exists():
        known = ", ".join(READERS)
        raise UserError(f"{source}: no reader for {scheme[0]!r} sources; expected a path or one of: {known}")
    return read_path(source, bad, work, wanted)
