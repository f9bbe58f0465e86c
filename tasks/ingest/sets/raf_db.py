"""RAF-DB's basic emotions: one list of file names and numbers, and aligned faces of 100x100.

Li, Deng & Du 2017, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the
Wild". The list is called `list_patition_label.txt`, so misspelt, as published. Its test part becomes PrivateTest.
Copies that are handed around as `train/1/` to `test/7/` need `--layout raf-db`: nothing tells their numbers from
FER2013's.
"""

from collections.abc import Sequence
from typing import Final

from tasks.common.errors import UserError
from tasks.ingest.layout import Place
from tasks.ingest.sets.listing import Folder, Listing, by_name, meanings, numbered_folders, only, placed

LISTS: Final = ("list_patition_label.txt", "list_partition_label.txt")

LABELS: Final = meanings(
    {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral"}
)
USAGES: Final = {"train": "Training", "test": "PrivateTest"}


def is_told_by(paths: Sequence[str]) -> bool:
    """Say whether the list is there."""
    return any(name in LISTS for name in by_name(paths))


def listing(folder: Folder) -> Listing:
    """List the faces in the list's order, the aligned images before the original ones; or by numbered folders.

    Raises:
        UserError: a line of the list is not `train_00001.jpg 5`.
    """
    if not is_told_by(folder.paths):
        return numbered_folders(folder, LABELS, USAGES)
    path, images = only(folder.paths, LISTS, folder.name), by_name(folder.images())
    places = [_place(where, line, images) for where, line in folder.lines(path)]
    return Listing(places, [path])


def _place(where: str, line: str, images: dict[str, str]) -> Place:
    name, _, code = line.rpartition(" ")
    part, _, _ = name.partition("_")
    if part not in USAGES or code not in LABELS:
        raise UserError(f"{where}: found {line[:60]!r}, expected such as 'train_00001.jpg 5'; mend it")
    stem = name.rpartition(".")[0].lower()
    image = images.get(f"{stem}_aligned.jpg") or images.get(name.lower()) or name
    return placed(image, LABELS[code], USAGES[part])
