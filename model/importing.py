"""Importing a large package: fast, without what it takes along wherever that is installed, and without its chatter."""

import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

_STDERR: Final = 2


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


@contextmanager
def unheard(*phrases: str) -> Iterator[None]:
    """Keep lines that hold one of these phrases out of the standard error meanwhile, those that C++ writes too.

    A process of its own sieves the lines, so that the last words of an import that kills this one are heard. Where the
    standard error is closed, or there is no `grep`, nothing is kept out.
    """
    patterns = [word for phrase in phrases for word in ("-e", phrase)]
    with ExitStack() as undo:
        with suppress(OSError):
            heard = os.dup(_STDERR)
            undo.callback(os.close, heard)
            command = ["grep", "--line-buffered", "-vF", *patterns]
            sieve = undo.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=heard))
            if sieve.stdin:
                os.dup2(sieve.stdin.fileno(), _STDERR)
                undo.callback(os.dup2, heard, _STDERR)  # and then the sieve ends, as nothing more can come
        yield
