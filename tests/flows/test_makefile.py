"""What `make` makes of a machine: of a half made `.venv`, of where the folder lies, of what the shell exports."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

UV = {
    "uv-1.data/scripts/uv": '#!/bin/sh\necho "uv $*"\n',
    "uv-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1\n",
    "uv-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "uv-1.dist-info/RECORD": "",
}
"""A package that installs nothing and says what it was asked for: the real one would bring all of the lock."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile and a lock, where a path is hard to quote."""
    folder = tmp_path / "a space" / "Gefühl's repo"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for lock in ("requirements.lock", "requirements-gpu.lock"):
        (folder / lock).touch()
    return folder


def make(folder: Path, *words: str, **variables: str) -> str:
    """Run make, which knows no package but that one, and return all that it said."""
    with zipfile.ZipFile(folder / "uv-1-py3-none-any.whl", "w") as wheel:
        for name, content in UV.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content)
    known = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ".", "PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    call = ["make", f"PYTHON={sys.executable}", *words]
    done = subprocess.run(call, cwd=folder, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_venv_that_was_interrupted_is_made_anew_and_is_used_wherever_it_lies(folder):
    elsewhere = folder / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", elsewhere], check=True)  # what Ctrl-C leaves
    before = sorted(elsewhere.rglob("*"))
    (folder / ".venv").symlink_to(elsewhere)
    assert "uv pip sync" in make(folder, "setup")
    assert (folder / ".venv" / "bin" / "pip").exists()
    assert not (folder / ".venv").is_symlink()
    assert sorted(elsewhere.rglob("*")) == before
    assert "pip sync" not in make(folder, "setup")  # it is whole now
    (folder / "flows").mkdir()
    (folder / "flows" / "doctor.py").write_text("import sys; print(sys.prefix, sys.flags.optimize)")
    said = make(folder, "doctor", PYTHONPATH="elsewhere", PYTHONSAFEPATH="1", PYTHONOPTIMIZE="1")
    assert said.strip() == f"{folder / '.venv'} 0"  # its Python is found first, and checks what it was written to check


def test_what_a_shell_exports_for_others_is_no_word_of_the_call(folder):
    exported = dict.fromkeys(("NAME", "BY", "POOL", "AT_ONCE", "GPU", "DIR"), "of-others")
    calls = ("run", "promote", "leaderboard", "doctor")
    assert make(folder, "--dry-run", *calls, **exported) == make(folder, "--dry-run", *calls)
    assert "flows.promote wider" in make(folder, "--dry-run", "promote", "NAME=wider", NAME="of-others")
    before = make(folder, "--dry-run", "run", DATA="faces.csv", VOTES="votes.csv")
    assert before == make(folder, "--dry-run", "run", "DATA=faces.csv", "VOTES=votes.csv")


def test_0_is_no_gpu_and_no_pool(folder):
    assert "requirements-gpu.lock" in make(folder, "--dry-run", "setup", "GPU=1")
    said = make(folder, "--dry-run", "setup", "doctor", "tune", "GPU=0", "REQUIRE_GPU=0", "POOL=0", "SWEEP=few")
    assert not {"requirements-gpu.lock", "--require-gpu", "--pool"} & set(said.split())
