"""Push the outputs of experiments to the DVC remote: `python -m flows.upload REVISION…`.

`dvc exp push` would do it where there is a git remote alone, and `dvc push` knows branches, tags and the workspace.
"""

import sys

from dvc.exceptions import DvcException
from dvc.repo import Repo

from tasks.common.console import say
from tasks.common.errors import UserError, command


@command
def main() -> None:
    try:
        with Repo() as repo:
            say(f"{repo.push(revs=sys.argv[1:], workspace=False)} files pushed")
    except (DvcException, OSError) as error:
        raise UserError(f"DVC remote: {error}") from error


if __name__ == "__main__":
    main()
