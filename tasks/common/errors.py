"""The one kind of error that a user is meant to read, and how a step ends with it."""

import functools
import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input, said in one sentence: the file, the row, what was found, what was expected, what to do."""


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Make `main` end with exit status 1 and the sentence alone where it raises `UserError`.

    Every other exception keeps its traceback: it is a fault of ours, not of the user's input.
    """

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except UserError as error:
            sys.exit(f"error: {error}")

    return run
