"""Imports Keras without the packages that it takes along wherever they are installed, and that training never uses.

They are a third of the time that its import takes, and 270 MB of memory: a command imports this module before any that
imports Keras. Afterwards they come in when asked for, as ever. Where `KERAS_BACKEND` names what can't train, the
command ends here, with a sentence.
"""

import importlib.util
import os
import sys
from typing import Final

import model
from model.importing import import_without, unheard

_NEEDED: Final = {"jax": {"jax", "scipy"}, "tensorflow": {"tensorflow"}, "torch": {"torch"}}
"""Keras's backends that train, each with what it can't be imported without."""

_BACKEND: Final = os.environ["KERAS_BACKEND"]

OPTIONAL: Final = {"jax", "matplotlib", "pandas", "scipy", "sklearn", "tensorflow"} - _NEEDED.get(_BACKEND, set())
"""What Keras and its backend do without."""

_CHATTER: Final = ("All log messages before absl::InitializeLog()", "oneDNN custom operations are on")
"""What TensorFlow writes while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says; `model.kernels.described` has it."""


def _check_backend() -> None:
    if _BACKEND not in _NEEDED:
        sys.exit(f"error: KERAS_BACKEND is {_BACKEND!r}: expected {', '.join(_NEEDED)}, which can train")
    if absent := _absent(_BACKEND):
        others = [f"set KERAS_BACKEND={backend}" for backend in _NEEDED if not _absent(backend)]
        remedies = " or ".join([f"install {' and '.join(absent)}", *others])
        sys.exit(f"error: Keras's backend is {_BACKEND}, which is not there: {remedies}")


def _absent(backend: str) -> list[str]:
    return sorted(name for name in _NEEDED[backend] if importlib.util.find_spec(name) is None)


_check_backend()
if model.IN_TIME:
    with unheard(*_CHATTER):
        import_without("keras", OPTIONAL)
