"""ExpW: photographs with several faces each, and `label.lst`, a face a line with its box and label.

Zhang, Luo, Loy & Tang 2018, "From Facial Expression Recognition to Interpersonal Relation Prediction". A line reads
`name face-id top left right bottom confidence label`; the box is in pixels of the photograph. It has no parts.
"""

from collections.abc import Sequence
from typing import Final

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.ingest.layout import Place
from tasks.ingest.sets.listing import Folder, Listing, by_name, only

LISTS: Final = ("label.lst",)


def is_told_by(paths: Sequence[str]) -> bool:
    """Say whether the list is there."""
    return any(name in LISTS for name in by_name(paths))


def listing(folder: Folder) -> Listing:
    """List the faces in the list's order.

    Raises:
        UserError: a line of the list is not as above.
    """
    path, images = only(folder.paths, LISTS, folder.name), by_name(folder.images())
    return Listing([_place(where, line, images) for where, line in folder.lines(path)], [path])


def _place(where: str, line: str, images: dict[str, str]) -> Place:
    name, *fields = line.rsplit(maxsplit=7)
    try:
        _, top, left, right, bottom = (int(field) for field in fields[:5])
        label = int(fields[6])
    except (ValueError, IndexError):
        label = -1
    if not 0 <= label < len(LABELS):  # its order of the seven is FER2013's
        raise UserError(
            f"{where}: found {line[:80]!r}, expected a name, a number, top, left, right, bottom, a confidence and a "
            "label of 0 to 6; mend it"
        )
    return Place(images.get(name.lower(), name), label, "Training", box=(left, top, right, bottom))
