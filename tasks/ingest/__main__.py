"""`python -m tasks.ingest SOURCE`: bring faces in as `data/faces.parquet` and `data/provenance.json`, and pin them."""

import argparse
import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from model.labels import LABELS
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command, is_of_file
from tasks.common.provenance import Provenance, VotesSource
from tasks.common.tables import USAGES
from tasks.ingest.combine import combined
from tasks.ingest.publish import pin, publish, workspace
from tasks.ingest.registry import read_source, votes_file
from tasks.ingest.sets import SETS, check_layout
from tasks.ingest.source import USUAL, BadRows, Source, Wanted
from tasks.ingest.votes import join_votes, labelled_by_crowd

LEAST: Final = 16
MOST: Final = 512
"""Sides of a face, in pixels, that are accepted."""


def ingest(
    source: str,
    *,
    add: Sequence[str] = (),
    votes: str | None = None,
    crowd_labels: bool = False,
    skip_bad_rows: int = 0,
    side: int = USUAL.side,
    layouts: Sequence[str] = (),
) -> Provenance:
    """Replace `data/` by the faces of one source or several.

    Args:
        source: `sample`; or a path to the challenge's CSV, a folder of images by label or another data set of
            `tasks.ingest.sets`, or an archive of these; or such in a store, as in `s3://bucket/fer2013.csv`.
        add: more sources, to be put after it.
        votes: FER+'s `fer2013new.csv`, to be joined to `source` by row; a path, or an address in a store.
        crowd_labels: majorities of the votes take the place of the labels of `source`, and faces without one are left
            out and counted.
        skip_bad_rows: most rows or images that may be left out, of all sources.
        side: height and width of the faces, in pixels.
        layouts: one of `tasks.ingest.sets.SETS`, `images` or `auto` (by its files); for all sources, or one for each.

    Returns:
        what was written beside the faces.

    Raises:
        UserError: anything about a source is bad; `data/` is as it was then.
    """
    wanted, bad = _wanted(side, layouts, 1 + len(add)), _allowed(skip_bad_rows)
    with workspace() as work:
        first, *rest = [read_source(one, bad, work / str(n), wanted[n]) for n, one in enumerate([source, *add])]
        first, votes_source = _with_votes(first, votes, crowd_labels=crowd_labels)
        read, parts = combined([first, *rest])
        known = _known(read, bad).model_copy(
            update={"votes": votes_source, "crowd_labels": crowd_labels, "parts": parts}
        )
        publish(read.faces, known)
    return known


def _allowed(skip_bad_rows: int) -> BadRows:
    """Return what collects bad rows."""
    if skip_bad_rows < 0:
        raise UserError(f"--skip-bad-rows: found {skip_bad_rows}, expected 0 or more")
    return BadRows(skip_bad_rows)


def _with_votes(source: Source, votes: str | None, *, crowd_labels: bool) -> tuple[Source, VotesSource | None]:
    """Return a source with the votes of a file, and their majorities for its labels where that is asked."""
    votes_source = None
    if votes is not None:
        found = votes_file(votes)
        faces, votes_source = join_votes(source, found.path, found.origin) if found else join_votes(source, Path(votes))
        source = replace(source, faces=faces)
    return labelled_by_crowd(source) if crowd_labels else source, votes_source


def _wanted(side: int, layouts: Sequence[str], sources: int) -> list[Wanted]:
    """Return how each source is to be read."""
    if not LEAST <= side <= MOST:
        raise UserError(f"--side: found {side}, expected {LEAST} to {MOST} pixels")
    if len(layouts) not in (0, 1, sources):
        raise UserError(f"--layout: found {len(layouts)}, expected one for all {sources} sources, or one for each")
    for layout in layouts:
        if layout != "auto":  # a file doesn't ask for its layout: a name that is none would go unnoticed
            check_layout(layout)
    each = layouts if len(layouts) == sources else [*layouts, "auto"][:1] * sources
    return [Wanted(side, None if layout == "auto" else layout) for layout in each]


def _known(read: Source, bad: BadRows) -> Provenance:
    """Return what a source tells of itself."""
    return Provenance(
        source=read.name,
        layout=read.layout,
        sha256=read.sha256,
        synthetic=read.synthetic,
        fingerprint=read.faces.fingerprint(),
        rows=len(read.faces),
        labels=_counts(LABELS, np.array(LABELS)[read.faces.emotion]),
        usages=_counts(USAGES, read.faces.usage),
        left_out=tuple(bad.left_out),
        origin=read.origin,
        dropped=read.dropped,
    )


def report(provenance: Provenance, *, pinned: bool) -> None:
    """Say what was brought in, in a few lines."""
    kind = " (synthetic)" if provenance.synthetic else ""
    votes = f", votes of {provenance.votes.source}" if provenance.votes else ""
    votes += ", whose majorities are the labels" if provenance.crowd_labels else ""
    say(f"{provenance.source}{kind}: {provenance.rows:,} faces, {_listed(provenance.usages)}{votes}")
    if provenance.parts:
        say(_listed({part.source: part.rows for part in provenance.parts}))
    say(_listed(provenance.labels))
    if provenance.dropped:
        say(f"dropped, by labels that are none of the seven: {_listed(provenance.dropped)}")
    if provenance.left_out:
        first = provenance.left_out[0]
        say(f"left out {len(provenance.left_out):,}, all listed in {paths.PROVENANCE}; {first.where}: {first.reason}")
    say(f"wrote {paths.FACES} and {paths.PROVENANCE}" + (f", pinned by {paths.DATA}.dvc" if pinned else ", not pinned"))


def _counts(names: tuple[str, ...], found: np.ndarray) -> dict[str, int]:
    return {name: int(np.count_nonzero(found == name)) for name in names}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.ingest", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "source",
        help="`sample`; or fer2013.csv, icml_face_data.csv, a folder of images by label or of another data set, "
        "Parquet files of images, or a zip or tar of these; s3://bucket/key, https://…, kaggle:owner/dataset of such",
    )
    parser.add_argument("--add", action="append", default=[], metavar="SOURCE", help="another one, to the same table")
    parser.add_argument("--votes", metavar="FILE", help="FER+'s fer2013new.csv, or its address, joined by row")
    parser.add_argument(
        "--crowd-labels", action="store_true", help="take the majority of the votes for the label, and drop the rest"
    )
    parser.add_argument(
        "--layout",
        action="append",
        default=[],
        metavar="NAME",
        help=f"auto (what the files' names say), images, {', '.join(SETS)}; once for all sources, or once for each",
    )
    parser.add_argument("--side", type=int, default=48, metavar="PIXELS", help="height and width of the faces (48)")
    parser.add_argument(
        "--skip-bad-rows", type=int, default=0, metavar="N", help="leave out at most N bad rows or images"
    )
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="leave data.dvc as it is")
    return parser.parse_args()


@command
def main() -> None:
    """Read the arguments, bring the faces in, pin them."""
    arguments = _arguments()
    try:
        provenance = ingest(
            arguments.source,
            add=arguments.add,
            votes=arguments.votes,
            crowd_labels=arguments.crowd_labels,
            skip_bad_rows=arguments.skip_bad_rows,
            side=arguments.side,
            layouts=arguments.layout,
        )
    except OSError as error:  # a full disk, a file without rights: nothing that a traceback would explain better
        if error.errno == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):  # Arrow says it in words alone
            raise UserError(
                f"{paths.DATA}: {os.strerror(errno.ENOSPC)}; the data is as it was, make room and run it again"
            ) from error
        if is_of_file(error):  # what to do about it, `command` says
            raise
        raise UserError(f"{error.filename or arguments.source}: {error.strerror or error}") from error
    if arguments.pin:
        pin()
    report(provenance, pinned=arguments.pin)


if __name__ == "__main__":
    main()
