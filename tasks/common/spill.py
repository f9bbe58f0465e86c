"""Arrays that may be larger than the memory: above a size they lie in a file, which the system pages in and out.

The file lies in the working folder and has no name: it is gone with the process, however that ends.
"""

import math
import tempfile
from typing import IO, Final

import numpy as np

LARGEST: Final = 512 << 20
"""Bytes of an array that stays in memory: six times FER2013."""

_AT_ONCE: Final = 4096
"""Entries that are copied at once."""


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return a new array, uint8 of this shape, whose content is not set."""
    size = math.prod(shape)
    if size <= LARGEST:
        return np.empty(shape, np.uint8)
    file = _file()
    file.truncate(size)
    return _mapped(file, shape)


def taken(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return `array[index]`, uint8 [n, …], of positions or a boolean mask."""
    where = np.flatnonzero(index) if index.dtype == bool else index
    result = empty((len(where), *array.shape[1:]))
    for start in range(0, len(where), _AT_ONCE):
        result[start : start + _AT_ONCE] = array[where[start : start + _AT_ONCE]]
    return result


def stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """Return arrays, uint8 [n, …] each, one after the other."""
    result = empty((sum(map(len, arrays)), *arrays[0].shape[1:]))
    at = 0
    for array in arrays:
        for start in range(0, len(array), _AT_ONCE):
            part = array[start : start + _AT_ONCE]
            result[at : at + len(part)] = part
            at += len(part)
    return result


class Growing:
    """An array that grows at its end, of how many entries nobody knows before."""

    def __init__(self, entry: tuple[int, ...]) -> None:
        self._entry = entry
        self._parts: list[np.ndarray] = []
        self._held = self._length = 0
        self._on_disk: IO[bytes] | None = None

    def append(self, entries: np.ndarray) -> None:
        """Add entries, uint8 [k, *entry]."""
        self._parts.append(entries)
        self._held += entries.nbytes
        self._length += len(entries)
        if self._held > LARGEST:
            self._flush()

    def finish(self) -> np.ndarray:
        """Return all of them, uint8 [n, *entry]; no more can be added."""
        shape = (self._length, *self._entry)
        if self._on_disk is None:
            whole = np.concatenate(self._parts) if self._parts else np.empty(shape, np.uint8)
            return whole.reshape(shape)
        self._flush()
        return _mapped(self._on_disk, shape)

    def _flush(self) -> None:
        self._on_disk = self._on_disk or _file()
        for part in self._parts:
            self._on_disk.write(np.ascontiguousarray(part).data)
        self._on_disk.flush()
        self._parts, self._held = [], 0


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile(dir=".")  # not in /tmp, which is memory on some machines


def _mapped(file: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(file, np.uint8, "r+", shape=shape)
