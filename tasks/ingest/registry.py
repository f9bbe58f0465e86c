"""Which reader takes which source: another store is a module of its own with a `fetch`, and one entry here."""

import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.common.errors import UserError
from tasks.ingest.images import with_side
from tasks.ingest.local import read_path
from tasks.ingest.sample import draw_sample
from tasks.ingest.source import USUAL, BadRows, Fetched, Source, Wanted

SAMPLE: Final = "sample"

STORES: Final = {
    "s3:": "tasks.ingest.s3",
    "https:": "tasks.ingest.web",
    "http:": "tasks.ingest.web",
    "kaggle:": "tasks.ingest.kaggle",
}
"""By scheme, the module whose `fetch` brings an address here. Imported when it is needed: boto3 takes a while."""

FERPLUS: Final = "fer2013new.csv"


def read_source(source: str, bad: BadRows, work: Path, wanted: Wanted = USUAL) -> Source:
    """Read faces from wherever `source` says.

    Args:
        source: `sample`, a path, or an address in one of `STORES`.
        bad: collects bad rows.
        work: a folder to work in that is removed afterwards.
        wanted: how.

    Raises:
        UserError: there is no reader for it, or its reader finds it bad.
    """
    if not source.strip():  # which as a path would be the folder that the command runs in
        raise UserError("the source is empty; expected a path, `sample`, or an address; for this folder give .")
    if source == SAMPLE:
        return _sample(wanted)
    found = _fetched(source)
    if found is None:
        return read_path(source, bad, work, wanted)
    read = read_path(str(found.path), bad, work, wanted)
    return replace(read, name=found.name or read.name, origin=found.origin)


def votes_file(source: str) -> Fetched | None:
    """Return FER+'s votes, brought here from a store; None for a path.

    Raises:
        UserError: nothing is named, the store does not give them, or there is no reader for the address.
    """
    if not source.strip():
        raise UserError(f"--votes: found nothing, expected the path of {FERPLUS} or its address; leave --votes out")
    found = _fetched(source)
    if found is None or not found.path.is_dir():
        return found
    inside = sorted(found.path.rglob(f"{FERPLUS}*"))
    if not inside:
        raise UserError(f"{source}: found no {FERPLUS} in it; give its own address")
    return replace(found, path=inside[0])


def _sample(wanted: Wanted) -> Source:
    faces = draw_sample()
    faces = replace(faces, pixels=with_side(faces.pixels, wanted.side))
    fingerprint = faces.fingerprint()
    return Source(SAMPLE, SAMPLE, fingerprint, faces, len(faces), challenge_order=False, synthetic=True)


def _fetched(source: str) -> Fetched | None:
    """Return what lies at an address, brought here; None for a path."""
    scheme = re.match("[A-Za-z][A-Za-z0-9+.-]+:", source)
    module = STORES.get(scheme[0].lower()) if scheme else None
    if module is not None:
        fetch: Callable[[str], Fetched] = importlib.import_module(module).fetch
        return fetch(source)
    if scheme and not Path(source).exists():
        known = ", ".join((SAMPLE, *STORES))
        raise UserError(f"{source}: no reader for {scheme[0]!r} sources; expected a path or one of: {known}")
    return None
