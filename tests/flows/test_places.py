"""A run's place of its own, whatever somebody's git is set to."""

import shutil

import pytest

from flows.places import place
from tasks.common.errors import UserError
from tests.workspaces import ROOT, change, commit, make, run

SETTINGS = """
[diff]
    external = false
    noprefix = true
    context = 0
[color]
    ui = always
[clone]
    defaultRemoteName = upstream
[core]
    hooksPath = {}
"""


def test_somebodys_settings_of_git_are_not_for_a_place(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    make(root, {})
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (tmp_path / "gitconfig").write_text(SETTINGS.format(hook.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (root / "odd").write_bytes(b"\xff\n")
    run(root, "git", "add", "odd")
    change(root, {"train": {"epochs": 77}})
    with place(root, "one") as folder:
        assert (folder / "params.yaml").read_bytes() == (root / "params.yaml").read_bytes()
        assert (folder / "odd").read_bytes() == b"\xff\n"
        assert run(folder, "git", "remote").split() == ["origin"]
        assert run(folder, "git", "config", "--local", "--get-all", "core.hooksPath", ok=False) == ""


def test_what_git_refuses_is_said_in_its_words(tmp_path):
    run(tmp_path, "git", "init", "--quiet")
    with pytest.raises(UserError, match=r"^git diff: fatal: .*HEAD"), place(tmp_path, "one"):
        pass


def test_a_clone_on_a_machine_that_changes_the_ends_of_lines_has_the_same_bytes(tmp_path):
    root, clone = tmp_path / "root", tmp_path / "clone"
    root.mkdir()
    names = (".gitattributes", "data.dvc", "dvc.lock", "baseline/sample-linear.parquet")
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    run(root, "git", "init", "--quiet")
    commit(root, "files that are hashed")
    run(tmp_path, "git", "-c", "core.autocrlf=true", "clone", "--quiet", str(root), str(clone))
    assert [(clone / name).read_bytes() for name in names] == [(ROOT / name).read_bytes() for name in names]
