"""The one kind of error that a user is meant to read, and how a step ends with it."""

import errno
import functools
import sys
from collections.abc import Callable
from typing import Final

INTERRUPTED: Final = 130
"""The exit status of what Ctrl-C ended, as shells have it."""

RIGHTS: Final = frozenset({errno.EACCES, errno.EPERM})
"""The system's errors of missing permission."""

_ASK: Final = "see with `ls -ld` who may read and write there, get that right or work in another folder"
REMEDIES: Final = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "let files grow larger (`ulimit -f` says how large they may be)",
    errno.EROFS: "let that disk be written to, or work in a folder of another one",
    errno.EACCES: _ASK,
    errno.EPERM: _ASK,
    errno.EISDIR: "move that folder away, a file belongs there",
    errno.ENOTDIR: "move the file away that lies where a folder belongs",
    errno.EIO: "look after that disk, or the network that leads to it",
}
"""What to do about what the system says of a file, where that is no fault of ours."""


class UserError(Exception):
    """Bad input, said in one sentence: the file, the row, what was found, what was expected, what to do."""


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Make `main` end with a sentence alone where it raises `UserError`, a file can't be had, or Ctrl-C is pressed.

    The exit status is 1, and `INTERRUPTED` after Ctrl-C. Every other exception keeps its traceback: it is a fault of
    ours, not of the user's input.
    """

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except UserError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            if not is_of_file(error):
                raise
            sys.exit(f"error: {unusable(error)}")
        except KeyboardInterrupt:
            sys.stderr.write(
                "interrupted; no file is left half written: the same command starts anew, or goes on where it can\n"
            )
            sys.exit(INTERRUPTED)

    return run


def is_of_file(error: OSError) -> bool:
    """Say whether a file can't be had, for a reason that `REMEDIES` knows: ports and certificates want rights too."""
    return error.errno in REMEDIES and (error.filename is not None or error.errno not in RIGHTS)


def unusable(error: OSError) -> str:
    """Return in a sentence what the system says of a file, and what to do about it."""
    name = error.filename2 or error.filename  # of a renaming, the second is what should be there
    remedy = REMEDIES.get(error.errno or 0, "put that right")
    return f"{f'{name}: ' if name else ''}{error.strerror or error}; {remedy}, and start the same command again"
