"""Numbers out of text: 83 million of them in FER2013, so the usual way there is a few passes of NumPy."""

from collections.abc import Sequence
from typing import Final

import numpy as np

SIDE: Final = 48
FACE: Final = SIDE * SIDE
"""Pixels of a face."""

_BLANK: Final = ord(" ")
_LEAD: Final = 3
"""Blanks before the text, so that the three places before every blank exist."""


def parse_many(texts: Sequence[bytes]) -> np.ndarray | None:
    """Read faces written as numbers with single blanks between them.

    Of the blank after each number the places before it are looked up: units, tens, hundreds.

    Args:
        texts: one text a face. About 30 at a time stay in the processor's cache.

    Returns:
        uint8 [n, FACE]; or None where any text is anything but FACE numbers of one to three digits, 0 to 255, with
        single blanks between them. `parse_one` tells what is wrong, and accepts wider gaps.
    """
    text = np.frombuffer(b" " * _LEAD + b" ".join(texts) + b" ", np.uint8)
    blanks = np.flatnonzero(text == _BLANK)[_LEAD - 1 :]
    width = np.diff(blanks)  # of a number and its blank
    blanks = blanks[1:]
    if len(blanks) != FACE * len(texts):
        return None
    ends = np.cumsum([len(text) + 1 for text in texts]) + _LEAD - 1
    if width.min() < 2 or width.max() > 4 or (blanks[FACE - 1 :: FACE] != ends).any():
        return None
    digit = text - np.uint8(ord("0"))  # what is below "0" wraps around to a large number
    if np.count_nonzero(digit < 10) + len(blanks) + _LEAD != len(text):
        return None
    tens = digit[blanks - 2] * (width > 2)
    hundreds = digit[blanks - 3] * (width > 3)
    low = digit[blanks - 1] + tens * np.uint8(10)
    value = low + hundreds * np.uint8(100)
    if hundreds.max() > 2 or (value < low).any():  # 256 to 299 wrap around
        return None
    return value.reshape(-1, FACE)


def parse_one(text: bytes) -> np.ndarray:
    """Read one face, uint8 [FACE], number by number.

    Raises:
        ValueError: the text is no face; the message says what was found and what was expected.
    """
    numbers = text.split()
    if len(numbers) != FACE:
        raise ValueError(f"found {len(numbers):,} pixel values, expected {FACE:,}")
    for place, number in enumerate(numbers, 1):
        if not number.isdigit() or len(number) > 3 or int(number) > 255:
            raise ValueError(f"pixel {place:,} is {shown(number)}, expected a whole number from 0 to 255")
    return np.array([int(number) for number in numbers], np.uint8)


def shown(text: bytes) -> str:
    """Return bytes of a file as they can stand in a sentence: decoded, quoted, and cut where they are long."""
    readable = text.decode("utf-8", "replace")
    return repr(readable if len(readable) <= 40 else readable[:37] + "...")
