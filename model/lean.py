"""Imports Keras without the packages that it takes along wherever they are installed, and that training never uses.

They are a third of the time that its import takes, and 270 MB of memory: import this module before any that imports
Keras. Afterwards they come in when asked for, as ever.
"""

import importlib
import os
import sys
from typing import Final

import model

_NEEDED: Final = {"jax": {"jax", "scipy"}, "tensorflow": {"tensorflow"}}

OPTIONAL: Final = {"jax", "matplotlib", "pandas", "scipy", "sklearn", "tensorflow"} - _NEEDED.get(
    os.environ["KERAS_BACKEND"], set()
)
"""What Keras and its backend do without."""


def _import() -> None:
    left_out = OPTIONAL - sys.modules.keys()
    sys.modules |= dict.fromkeys(left_out)  # type: ignore[arg-type]  # None is the import system's word for: not here
    try:
        importlib.import_module("keras")
    finally:
        for name in left_out:
            del sys.modules[name]


if model.IN_TIME:
    _import()
