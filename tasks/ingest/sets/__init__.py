"""Other data sets of faces, each by the layout in which its authors publish it: one module and one entry here a set."""

from collections.abc import Sequence
from typing import Final

from tasks.common.errors import UserError
from tasks.ingest.sets import affectnet, expw, ferplus, laboratory, raf_db
from tasks.ingest.sets.listing import DataSet

SETS: Final[dict[str, DataSet]] = {
    "fer+": DataSet("FER+", ferplus.is_told_by, ferplus.listing),
    "raf-db": DataSet("RAF-DB", raf_db.is_told_by, raf_db.listing),
    "affectnet": DataSet("AffectNet", affectnet.is_told_by, affectnet.listing),
    "expw": DataSet("ExpW", expw.is_told_by, expw.listing),
    "ck+48": DataSet("CK+48", *laboratory.CK48),
    "jaffe": DataSet("JAFFE", *laboratory.JAFFE),
    "kdef": DataSet("KDEF", *laboratory.KDEF),
}
"""By the name that `--layout` takes."""


def find_set(paths: Sequence[str], asked: str | None) -> DataSet | None:
    """Return the data set that was asked for, or else the one whose files these are; None for images by label.

    Args:
        paths: of all files below a folder, relative to it and with `/`.
        asked: a key of `SETS`, `images`, or None to go by the files.

    Raises:
        UserError: there is no such layout.
    """
    if asked is None:
        return next((found for found in SETS.values() if found.is_told_by(paths)), None)
    check_layout(asked)
    return None if asked == "images" else SETS[asked]


def check_layout(asked: str) -> None:
    """Raise UserError where no layout is called so."""
    if asked != "images" and asked not in SETS:
        raise UserError(f"--layout: found {asked!r}, expected images, {', '.join(SETS)}")
