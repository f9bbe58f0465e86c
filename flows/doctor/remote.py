"""Asking DVC's default remote whether it is there: `python -m flows.doctor.remote` answers with one line of JSON.

A program of its own, since a remote that does not answer can hold its caller for minutes.
"""

import json
from typing import Any

from dvc.repo import Repo


def reach(fs: Any, path: str) -> bool:
    """Say whether something lies at the remote's path; False where only the folder or bucket above it is there.

    Args:
        fs: file system of a DVC remote.
        path: of the remote on it.

    Raises:
        FileNotFoundError: what should hold the remote is not there either.
        Exception: whatever the file system raises where it can't be reached.
    """
    if fs.protocol in ("http", "https"):  # can't list; what it answers to a folder means nothing
        fs.fs.exists(path, strict=True)
        return True
    try:
        fs.fs.ls(path, detail=False)
    except FileNotFoundError:
        above = fs.parent(path)
        if above in ("", path) or not fs.exists(above):
            raise
        return False
    return True


def main() -> None:
    """Print whether the remote is there, or what it failed with."""
    with Repo() as repo:
        try:
            remote = repo.cloud.get_remote()
            answer: dict[str, Any] = {"there": reach(remote.fs, remote.path), "fault": None}
        except Exception as error:  # each file system has errors of its own
            answer = {"there": False, "fault": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))  # noqa: T201 - the line is the program's output


if __name__ == "__main__":
    main()
