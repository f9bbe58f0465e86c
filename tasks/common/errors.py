"""The one kind of error that a user is meant to read, and how a step ends with it."""

import errno
import functools
import sys
from collections.abc import Callable
from typing import Final

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What a disk says that takes no more."""


class UserError(Exception):
    """Bad input, said in one sentence: the file, the row, what was found, what was expected, what to do."""


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Make `main` end with exit status 1 and a sentence alone where it raises `UserError`, or the disk takes no more.

    Every other exception keeps its traceback: it is a fault of ours, not of the user's input.
    """

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except UserError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            if error.errno not in FULL:
                raise
            where = f"{error.filename}: " if error.filename else ""
            sys.exit(f"error: {where}{error.strerror}; make room, and start the same command again")

    return run
