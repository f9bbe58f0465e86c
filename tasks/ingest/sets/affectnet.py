"""AffectNet: `train_set/images/12.jpg` beside `train_set/annotations/12_exp.npy`, and likewise in `val_set`.

Mollahosseini, Hasani & Mahoor 2019, "AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the
Wild". Its test part was never published, and papers report on `val_set`, which becomes PrivateTest where there is no
other. Copies that are handed around as `train/0/` to `val/7/` need `--layout affectnet`: nothing tells their numbers
from FER2013's.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tokenize import TokenError
from typing import Final

import numpy as np

from tasks.ingest.layout import Place
from tasks.ingest.sets.listing import Folder, Listing, Meaning, meanings, numbered_folders, placed

NOTE: Final = "_exp.npy"
_LONGEST: Final = 1024
"""Bytes of a label."""

LABELS: Final = meanings(
    dict(
        zip(
            map(str, range(11)),
            (
                "neutral",
                "happy",
                "sad",
                "surprise",
                "fear",
                "disgust",
                "angry",
                "contempt",
                "none",
                "uncertain",
                "no face",
            ),
            strict=True,
        )
    )
)
_TRAIN, _VALIDATION, _TEST = ("train_set", "train"), ("val_set", "val", "valid", "validation"), ("test_set", "test")


def is_told_by(paths: Sequence[str]) -> bool:
    """Say whether the files that hold one label each are there."""
    return any(path.endswith(NOTE) for path in paths)


def listing(folder: Folder) -> Listing:
    """List the faces by path; an image without a label, or with one that can't be read, has a fault."""
    usages = _usages(folder.paths)
    notes = {path for path in folder.paths if path.endswith(NOTE)}
    if not notes:
        return numbered_folders(folder, LABELS, usages)
    return Listing([_place(folder, path, notes, usages) for path in folder.images()], sorted(notes))


def _usages(paths: Sequence[str]) -> dict[str, str]:
    parts = {part.lower() for path in paths for part in PurePosixPath(path).parts[:-1]}
    tested = bool(parts & set(_TEST))
    return (
        dict.fromkeys(_TRAIN, "Training")
        | dict.fromkeys(_VALIDATION, "PublicTest" if tested else "PrivateTest")
        | dict.fromkeys(_TEST, "PrivateTest")
    )


def _place(folder: Folder, path: str, notes: set[str], usages: dict[str, str]) -> Place:
    image = PurePosixPath(path)
    part = image.parent.parent
    usage = usages.get(part.name.lower(), "Training")
    note = (part / "annotations" / f"{image.stem}{NOTE}").as_posix()
    if note not in notes:
        return placed(path, Meaning(), usage, fault=f"found no {note}, expected its label there")
    try:
        code = _code(folder.root / note)
    except (OSError, ValueError, SyntaxError, TokenError) as error:  # the last two, of a header that is no Python
        return placed(path, Meaning(), usage, fault=f"{note}: not one label ({error})")
    if code not in LABELS:
        return placed(path, Meaning(), usage, fault=f"{note}: found {code[:20]!r}, expected 0 to 10")
    return placed(path, LABELS[code], usage)


def _code(path: Path) -> str:
    """Return the one value of a file of NumPy's, as text.

    `numpy.load` would open archives and other things besides, and make room for whatever size a file claims to have.

    Raises:
        ValueError: it is no such file, or holds an object, which would have to be unpickled, or not one value.
    """
    with path.open("rb") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("found another version of NumPy's format than 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in "Uiu" or np.prod(shape, dtype=object) != 1:
            raise ValueError(f"found {dtype} of shape {shape}, expected one whole number or text")
        content = file.read(min(dtype.itemsize, _LONGEST))
    if dtype.kind == "U":  # which NumPy itself would not check
        return content.decode("utf-32-be" if dtype.byteorder == ">" else "utf-32-le").rstrip("\0")
    return str(np.frombuffer(content, dtype)[0])
