"""What the clones of one machine share."""

import os
import shutil
import time
from pathlib import Path

import pytest

from flows.workspace import KEPT_DAYS, clear, prepare
from tasks.common.processes import exclusive
from tests.workspaces import ROOT, run


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """Three backups, two of them too old, and the notes of what was not pushed."""
    for name, days in (("fresh", KEPT_DAYS - 1), ("old", KEPT_DAYS + 1), ("at-work", KEPT_DAYS + 1)):
        state = tmp_path / name / "state.npz"
        state.parent.mkdir()
        state.write_bytes(b"weights")
        state.parent.with_suffix(".lock").touch()
        os.utime(state, (0, time.time() - days * 86400))
    (tmp_path / "unpushed").mkdir()
    return tmp_path


def test_backups_that_nobody_goes_on_from_are_removed_after_a_month(backups):
    with exclusive(backups / "at-work.lock", "a training"):
        clear(backups)
    left = {path.name for path in backups.iterdir()}
    assert left == {"fresh", "fresh.lock", "at-work", "at-work.lock", "unpushed"}


def test_git_sees_nothing_of_what_a_clone_shares(tmp_path):
    clone = tmp_path / "clone"
    (clone / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / ".gitignore", clone)
    run(clone, "git", "init", "--quiet")
    prepare(clone, cache=tmp_path / "cache", backups=tmp_path / "backup", registry=tmp_path / "registry")
    shared = [path.name for path in clone.iterdir() if path.is_symlink()]
    assert sorted(shared) == [".backup", "registry"]
    assert run(clone, "git", "check-ignore", *shared).split() == shared
