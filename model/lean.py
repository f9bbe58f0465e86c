"""Imports Keras without the packages that it takes along wherever they are installed, and that training never uses.

They are a third of the time that its import takes, and 170 MB of memory: import this module before any that imports
Keras. Afterwards they come in when asked for, as ever.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

import model

_NEEDED: Final = {"jax": {"jax", "scipy"}, "tensorflow": {"tensorflow"}}

OPTIONAL: Final = {"jax", "matplotlib", "pandas", "scipy", "sklearn", "tensorflow"} - _NEEDED.get(
    os.environ["KERAS_BACKEND"], set()
)
"""What Keras and its backend do without."""


class _Refuse(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in OPTIONAL:
            raise ModuleNotFoundError(f"{fullname} is left out by {__name__}", name=fullname)
        return None


def _import() -> None:
    refuse = _Refuse()
    sys.meta_path.insert(0, refuse)
    try:
        importlib.import_module("keras")
    finally:
        sys.meta_path.remove(refuse)


if model.IN_TIME:
    _import()
