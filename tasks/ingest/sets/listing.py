"""What every data set's module takes and gives, and what several of them need."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.ingest.layout import IMAGES, Place

MAX_LIST: Final = 1 << 28
"""Largest list of labels, in bytes; ExpW's, of 91,793 faces, has 5 million."""


@dataclass(frozen=True)
class Folder:
    """Files as they lie on the disk.

    Attributes:
        root: the folder.
        paths: of its files, sorted, relative to it and with `/`.
        name: the source's, for errors.
    """

    root: Path
    paths: Sequence[str]
    name: str

    def images(self) -> list[str]:
        """Return the paths of the images."""
        return [path for path in self.paths if path.lower().endswith(IMAGES)]

    def lines(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the lines of a text file that aren't blank, each with where it stands, for errors.

        Raises:
            UserError: the file is no text in UTF-8, or is too large to be a list of labels.
        """
        file = self.root / path
        if file.stat().st_size > MAX_LIST:
            raise UserError(f"{self.name}/{path}: found more than {MAX_LIST:,} bytes, expected a list of labels")
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.name}/{path}: not a text in UTF-8 ({error}); fetch it again") from error
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{self.name}/{path}, line {number}", line.strip()


@dataclass(frozen=True)
class Listing:
    """The faces of a data set, in its own order, and the files, by path, that their labels come from."""

    places: list[Place]
    labels: list[str]


@dataclass(frozen=True)
class DataSet:
    """A data set of faces.

    Attributes:
        name: as provenance and reports say it.
        is_told_by: whether files, by path, are this set's.
        listing: its faces; a UserError where its lists can't be read.
    """

    name: str
    is_told_by: Callable[[Sequence[str]], bool]
    listing: Callable[[Folder], Listing]


@dataclass(frozen=True)
class Meaning:
    """What a label of a data set is here: the number of one of the seven, or the name of another, which is left out."""

    emotion: int | None = None
    other: str | None = None


def meanings(labels: Mapping[str, str]) -> dict[str, Meaning]:
    """Return what each code means, of its label's name: one of the seven of `LABELS`, or any other."""
    return {
        code: Meaning(LABELS.index(label)) if label in LABELS else Meaning(other=label)
        for code, label in labels.items()
    }


def only(paths: Sequence[str], names: Sequence[str], source: str) -> str:
    """Return the one path whose file is called by one of the names; UserError where there are several, or none."""
    found = [path for path in paths if PurePosixPath(path).name.lower() in names]
    if len(found) != 1:
        raise UserError(f"{source}: found {len(found)} files called {names[0]}, expected one; give one set")
    return found[0]


def by_name(paths: Sequence[str]) -> dict[str, str]:
    """Return the path of each file by its name without folders, in small letters; of several, the first."""
    return {PurePosixPath(path).name.lower(): path for path in reversed(paths)}


def numbered_folders(folder: Folder, labels: Mapping[str, Meaning], usages: Mapping[str, str]) -> Listing:
    """List images in `[part/]number/`, where a folder's name is a set's own number of a label.

    Args:
        folder: of the images.
        labels: by number.
        usages: Usage by the part's name, in small letters; what lies in no such part is `Training`.
    """
    places = []
    for path in folder.images():
        *above, label = PurePosixPath(path).parts[:-1] or ("",)
        usage = usages.get(above[-1].lower(), "Training") if above else "Training"
        meaning = labels.get(label)
        fault = None if meaning else f"its folder is {label!r}, expected one of {', '.join(labels)}"
        places.append(placed(path, meaning or Meaning(), usage, fault=fault))
    return Listing(places, [])


def placed(path: str, meaning: Meaning, usage: str, *, subject: str | None = None, fault: str | None = None) -> Place:
    """Return an image with what its label means."""
    return Place(path, meaning.emotion, usage, other=meaning.other, subject=subject, fault=fault)
