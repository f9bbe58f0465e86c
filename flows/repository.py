"""The git repository that runs need: the workspace's own, with a commit, which git trusts."""

import shlex
import subprocess
from pathlib import Path
from typing import Final

from tasks.common.errors import UserError

BEGIN: Final = "`git init && git add --all && git commit -m start`"


def fault(root: Path) -> tuple[str, str] | None:
    """Return what is wrong with the repository at `root`, mostly in git's words, and what mends it; or None.

    An unpacked archive has none, and one that was unpacked inside another repository must not use that one: each run
    makes an experiment of all that git has. Git's words differ with the language, so that they decide nothing here.
    """
    top = _ask(root, "rev-parse", "--show-toplevel")
    if top.returncode:
        trust = f"`git config --global --add safe.directory {shlex.quote(str(root.resolve()))}`"
        return top.stderr.strip(), trust if "safe.directory" in top.stderr else BEGIN
    if Path(top.stdout.strip()).resolve() != root.resolve():
        return f"{root} has no git repository of its own, and lies in that of {top.stdout.strip()}", BEGIN
    head = _ask(root, "log", "-1")
    return (head.stderr.strip(), BEGIN) if head.returncode else None


def check_repository(root: Path) -> None:
    """Check that runs can use the repository at `root`.

    Raises:
        UserError: they can't; the sentence has what mends it.
    """
    if wrong := fault(root):
        raise UserError("; ".join(wrong))


def _ask(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace", check=False)
