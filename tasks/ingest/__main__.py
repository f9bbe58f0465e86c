"""`python -m tasks.ingest SOURCE`: bring faces in as `data/faces.parquet` and `data/provenance.json`, and pin them."""

import argparse
from pathlib import Path

import numpy as np

from model.labels import LABELS
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.provenance import Provenance
from tasks.common.tables import USAGES
from tasks.ingest.publish import pin, publish, workspace
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows
from tasks.ingest.votes import join_votes


def ingest(source: str, votes: Path | None = None, skip_bad_rows: int = 0) -> Provenance:
    """Replace `data/` by the faces of `source`.

    Args:
        source: `sample`; or a path to the challenge's CSV, a folder of images by label, or an archive of either; or
            such in a store, as in `s3://bucket/fer2013.csv`.
        votes: FER+'s `fer2013new.csv`, to be joined by row.
        skip_bad_rows: most rows or images that may be left out.

    Returns:
        what was written beside the faces.

    Raises:
        UserError: anything about the source is bad; `data/` is as it was then.
    """
    if skip_bad_rows < 0:
        raise UserError(f"--skip-bad-rows: found {skip_bad_rows}, expected 0 or more")
    bad = BadRows(skip_bad_rows)
    with workspace() as work:
        read = read_source(source, bad, work)
        if not len(read.faces):
            raise UserError(f"{read.name}: none of its {read.rows:,} rows is a face; give another source")
        faces, votes_source = join_votes(read, votes) if votes else (read.faces, None)
        provenance = Provenance(
            source=read.name,
            layout=read.layout,
            sha256=read.sha256,
            synthetic=read.synthetic,
            fingerprint=faces.fingerprint(),
            rows=len(faces),
            labels=_counts(LABELS, np.array(LABELS)[faces.emotion]),
            usages=_counts(USAGES, faces.usage),
            left_out=tuple(bad.left_out),
            votes=votes_source,
            origin=read.origin,
        )
        publish(faces, provenance)
    return provenance


def report(provenance: Provenance, *, pinned: bool) -> None:
    """Say what was brought in, in a few lines."""
    kind = " (synthetic)" if provenance.synthetic else ""
    votes = f", votes of {provenance.votes.source}" if provenance.votes else ""
    say(f"{provenance.source}{kind}: {provenance.rows:,} faces, {_listed(provenance.usages)}{votes}")
    say(_listed(provenance.labels))
    if provenance.left_out:
        first = provenance.left_out[0]
        say(f"left out {len(provenance.left_out):,}, all listed in {paths.PROVENANCE}; {first.where}: {first.reason}")
    say(f"wrote {paths.FACES} and {paths.PROVENANCE}" + (f", pinned by {paths.DATA}.dvc" if pinned else ", not pinned"))


def _counts(names: tuple[str, ...], found: np.ndarray) -> dict[str, int]:
    return {name: int(np.count_nonzero(found == name)) for name in names}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.ingest", description=__doc__)
    parser.add_argument(
        "source",
        help="`sample`; or fer2013.csv, icml_face_data.csv, a folder of images by label, or a zip or tar of these; or "
        "s3://bucket/key of such",
    )
    parser.add_argument("--votes", type=Path, metavar="FILE", help="FER+'s fer2013new.csv, joined by row")
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
        provenance = ingest(arguments.source, arguments.votes, arguments.skip_bad_rows)
    except OSError as error:  # a full disk, a file without rights: nothing that a traceback would explain better
        raise UserError(f"{error.filename or arguments.source}: {error.strerror or error}") from error
    if arguments.pin:
        pin()
    report(provenance, pinned=arguments.pin)


if __name__ == "__main__":
    main()
