"""Which registry this is, and who is at work on it."""

import getpass
import os
import subprocess
from datetime import UTC, datetime
from typing import Final

from tasks.common import paths
from tasks.registry.stores import Store, open_store

PLACE: Final = "FACIAL_EMOTION_REGISTRY"
"""Names another place for the registry."""


def registry() -> Store:
    """Return the registry of this project.

    Raises:
        UserError: the variable names no store.
    """
    return open_store(os.environ.get(PLACE) or str(paths.REGISTRY))


def who() -> str:
    """Return the name and address that git has of the person; else the name that the system has."""
    name, address = (_git("config", key) for key in ("user.name", "user.email"))
    return f"{name} <{address}>" if name and address else name or address or getpass.getuser()


def head() -> str:
    """Return the commit that lies here; empty where there is none."""
    return _git("rev-parse", "HEAD")


def now() -> datetime:
    """Return the time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
