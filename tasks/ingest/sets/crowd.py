"""One label out of a crowd's votes."""

from typing import Final

import numpy as np

from tasks.common.tables import VOTED, VOTES
from tasks.ingest.sets.listing import Meaning

LONE: Final = 1
"""Votes for an answer that count as a slip, and not at all."""


def majorities(votes: np.ndarray) -> list[Meaning]:
    """Return the label that more than half of a face's votes name, single votes for an answer left out.

    It is the "majority" of Barsoum et al. 2016 as their own reader works it out.

    Args:
        votes: uint8 [n, 10] in the order of `VOTES`.

    Returns:
        one of the seven labels; or another name: that of the answer (`contempt`, `unknown`, `no face`), or `no
        majority`.
    """
    counted = np.where(votes > LONE, votes, 0).astype(np.int64)
    first = counted.argmax(axis=1)
    most, total = counted.max(axis=1), counted.sum(axis=1)
    return [
        _ANSWERS[answer] if 2 * top > every else _NONE for answer, top, every in zip(first, most, total, strict=True)
    ]


_NONE: Final = Meaning(other="no majority")
_OTHERS: Final = {"NF": "no face"}
_ANSWERS: Final = [
    Meaning(VOTED.index(answer)) if answer in VOTED else Meaning(other=_OTHERS.get(name, name))
    for answer, name in enumerate(VOTES)
]
