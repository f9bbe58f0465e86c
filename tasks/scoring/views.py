"""In which views the network saw each face, in words."""

from typing import Final

from tasks.common.params import Evaluate

_NUMBERS: Final = {2: "two", 3: "three", 6: "six", 10: "ten", 30: "thirty"}


def views(params: Evaluate) -> str:
    """Return a sentence that says how many views of each test face were averaged, and which."""
    mirrored = params.flip or params.ten_crop
    count = (5 if params.ten_crop else 1) * (3 if params.turn else 1) * (2 if mirrored else 1)
    if count == 1:
        return "Each face was seen once, as it is."
    kinds = [
        *(["its four corners and its middle"] if params.ten_crop else []),
        *([f"upright and turned by {params.turn:g}° either way"] if params.turn else []),
        *(["as it is and mirrored"] if mirrored else []),
    ]
    return f"Each face was seen in {_NUMBERS[count]} views, whose probabilities are averaged: {', each '.join(kinds)}."
