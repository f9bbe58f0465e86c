"""Importing a large package fast: without what it takes along wherever that is installed, and in one go."""

import gc
import importlib
import sys
from collections.abc import Set


def import_without(package: str, left_out: Set[str]) -> None:
    """Import `package`; those of the packages `left_out` that are not there yet are absent while it looks for them.

    Afterwards they come in when asked for, as ever. The collector of garbage waits meanwhile: an import makes hundreds
    of thousands of objects, hardly any of which is garbage, and looking through them again and again takes a sixth of
    its time. They are not looked through later either.
    """
    absent, collecting = left_out - sys.modules.keys(), gc.isenabled()
    sys.modules |= dict.fromkeys(absent)  # type: ignore[arg-type]  # None is the import system's word for: not here
    gc.disable()
    try:
        importlib.import_module(package)
    finally:
        for name in absent:
            del sys.modules[name]
        gc.freeze()
        if collecting:
            gc.enable()
