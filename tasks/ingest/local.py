"""A path of this machine: the challenge's CSV, a folder of images or another data set, or an archive of these."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.common.console import say
from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.ingest.archives import ZIP, is_tar, unpack_tar, unpack_zip
from tasks.ingest.challenge import read_challenge
from tasks.ingest.hub import PARQUET, read_tables
from tasks.ingest.images import by_label, image_paths, read_images, read_places, with_side
from tasks.ingest.sets import find_set
from tasks.ingest.sets.listing import DataSet, Folder, only
from tasks.ingest.source import BadRows, Source, Wanted
from tasks.ingest.streams import Stream, open_stream

CHALLENGE: Final = ("fer2013.csv", "fer2013.csv.gz", "icml_face_data.csv", "icml_face_data.csv.gz")
"""What is read of a folder that holds several things, the first of these that is there."""
WITHOUT_IMAGES: Final = ("train.csv", "train.csv.gz")
"""What is read after these, where there are no images: beside images, a list of them is often called so."""
UNLABELLED: Final = ("test.csv", "example_submission.csv", "sample_submission.csv")
"""What Kaggle gives beside `train.csv`: no labels, or no faces."""
ARCHIVES: Final = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
LITTER: Final = ("__macosx", "thumbs.db", "desktop.ini", "icon\r")
"""What operating systems leave in folders, beside hidden files."""
LISTED: Final = 5
"""Most files that are named in a line."""


def read_path(source: str, bad: BadRows, work: Path, wanted: Wanted) -> Source:
    """Read a file or folder; archives are unpacked in `work`.

    Raises:
        UserError: there is no such path, or what lies there is no source of faces or a damaged one.
    """
    path = Path(source)
    # Not `resolve`, which raises on a link to itself.
    name = Path(os.path.realpath(path)).name.encode("utf-8", "replace").decode()
    if path.is_dir():
        return _read_folder(path, name, bad, wanted)
    if not path.exists():
        if path.is_symlink():
            raise UserError(f"{source}: found a link that leads nowhere, or to itself; give what it was to lead to")
        raise UserError(
            f"{source}: no such file or folder; expected the challenge's CSV, a folder of images, or an archive"
        )
    if not path.is_file():
        raise UserError(f"{source}: neither a file nor a folder; expected the challenge's CSV or an archive")
    return _read_file(path, name, bad, work / "unpacked", wanted)


def _read_file(path: Path, name: str, bad: BadRows, unpacked: Path, wanted: Wanted) -> Source:
    with path.open("rb") as file:
        first = file.read(4)
    if first == PARQUET:
        return replace(read_tables({name: path}, name, bad, wanted.side), sha256=sha256(path))
    if first in ZIP:
        unpack_zip(path, name, unpacked)
    else:
        with open_stream(path, name) as stream:
            if not is_tar(stream):
                return _read_csv(stream, path, name, bad, wanted.side)
            unpack_tar(stream, path.stat().st_size, unpacked)
    return replace(_read_folder(unpacked, name, bad, wanted), sha256=sha256(path))


def _read_csv(stream: Stream, path: Path, name: str, bad: BadRows, side: int) -> Source:
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(sha256, path)
        faces, layout, rows = read_challenge(stream, bad)
        faces = replace(faces, pixels=with_side(faces.pixels, side))
        return Source(name, layout, digest.result(), faces, rows, challenge_order=True)


def _read_folder(folder: Path, name: str, bad: BadRows, wanted: Wanted) -> Source:
    paths = _visible(folder, name)
    data_set = find_set(paths, wanted.layout)
    if data_set:
        return _read_set(data_set, Folder(folder, paths, name), bad, wanted.side)
    images = image_paths(paths)
    table = _table(paths, name, alone=not images)
    if table is not None:
        _say_passed_over(table, paths, images, name)
        with open_stream(folder / table, f"{name}/{table}") as stream:
            return _read_csv(stream, folder / table, name, bad, wanted.side)
    tables = [path for path in paths if path.lower().endswith(".parquet")]
    if tables and not any(map(by_label, images)):  # but pictures of the set's own page, perhaps
        return read_tables({path: folder / path for path in tables}, name, bad, wanted.side)
    if not images:
        raise _nothing(paths, name)
    return read_images(folder, images, name, bad, wanted.side)


def _read_set(data_set: DataSet, folder: Folder, bad: BadRows, side: int) -> Source:
    listing = data_set.listing(folder)
    if not listing.places:
        raise UserError(
            f"{folder.name}: found no face as {data_set.name} is published; give another source or --layout"
        )
    source = read_places(folder.root, listing.places, folder.name, bad, side, labels=listing.labels)
    return replace(source, layout=data_set.name)


def _table(paths: list[str], name: str, *, alone: bool) -> str | None:
    """Return the CSV to read: of a known name, or, where there are no images, the only one that may have labels."""
    tables = [path for path in paths if path.lower().endswith((".csv", ".csv.gz"))]
    called = {path.rsplit("/", 1)[-1].lower() for path in tables}
    known = [known for known in CHALLENGE + (WITHOUT_IMAGES if alone else ()) if known in called]
    if known:
        return only(tables, known[:1], name)
    others = [path for path in tables if path.rsplit("/", 1)[-1].lower().removesuffix(".gz") not in UNLABELLED]
    return others[0] if alone and len(others) == 1 else None


def _say_passed_over(read: str, paths: list[str], images: list[str], name: str) -> None:
    """Say what else could have been meant: nothing of it is in the table."""
    other = [path for path in paths if path != read and path.lower().endswith((".csv", ".csv.gz", ".parquet"))]
    listed = [*other[:LISTED], *([f"{len(other) - LISTED:,} more"] if len(other) > LISTED else [])]
    listed += [f"{len(images):,} images"] if images else []
    if listed:
        say(f"{name}: read {read}; passed over: {', '.join(listed)}")


def _nothing(paths: list[str], name: str) -> UserError:
    """Return what to say of a folder in which nothing can be read."""
    found = f"{name}: found no image and no CSV of the challenge in {len(paths):,} files"
    packed = next((path for path in paths if path.lower().endswith(ARCHIVES)), None)
    if packed:
        return UserError(f"{found}, and the archive {packed}; give that instead")
    return UserError(
        f"{found}; expected fer2013.csv, icml_face_data.csv or train.csv, or images by label; give another source"
    )


def _visible(folder: Path, name: str) -> list[str]:
    """Return the files below a folder, sorted, relative to it and with `/`, without hidden ones and litter.

    Links to folders are followed, but not those that lead back to a folder above them, whose files are read already.

    Raises:
        UserError: a folder can't be read, or two ways lead to it: its faces would be there twice, perhaps in two parts.
    """

    def fail(error: OSError) -> None:
        raise UserError(f"{error.filename}: can't be read ({error.strerror}); change its rights") from error

    found = []
    above: dict[str, frozenset[tuple[int, int]]] = {}
    ways: dict[tuple[int, int], str] = {}
    for parent, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        itself, way = _identity(parent), Path(parent).relative_to(folder).as_posix()
        if itself in ways:
            raise UserError(
                f"{name}: {ways[itself]} and {way} lead to the same folder, expected one way; remove a link"
            )
        ways[itself] = way
        known = above.pop(parent, frozenset()) | {itself}
        names = sorted(one for one in folders if not _is_litter(one))
        below = {one: os.path.join(parent, one) for one in names}  # noqa: PTH118 - as walk
        folders[:] = [one for one, path in below.items() if _identity(path) not in known]
        above.update((below[one], known) for one in folders)
        found += [Path(parent, file).relative_to(folder).as_posix() for file in files if not _is_litter(file)]
    return sorted(found)


def _identity(folder: str) -> tuple[int, int]:
    """Return what a folder is, whatever way leads to it."""
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER
