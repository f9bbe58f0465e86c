"""How glibc's malloc serves a training; elsewhere, nothing is set."""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Numbers that glibc's malloc.h gives them."""


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for what comes next, where there is a glibc.

    A dataset that comes from Python makes TensorFlow set the opposite: each block above 128 KiB then goes back to the
    system at once and comes again page by page, filled with zeros, in every step. That took a third of a training.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for most in (1 << 30, 1 << 25):  # older ones refuse more than 32 MiB
            if libc.mallopt(_MMAP_THRESHOLD, most):
                break
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def share_one_heap() -> None:
    """Have glibc serve all threads from one heap: each would keep one of its own, with what is freed in it."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_ARENA_MAX, 1)
