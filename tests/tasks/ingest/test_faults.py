"""A disk that is full, and kills while DVC pins: real ones, of processes of their own."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tasks.common.provenance import read_provenance
from tasks.common.tables import read_faces
from tests.workspaces import environment

from .helpers import csv_of, some_faces

ROOT = Path(__file__).parents[3]
FIRST, SECOND = some_faces(9, seed=1), some_faces(2000, seed=2)
WITH_DISK = ["unshare", "--user", "--mount", "--map-root-user", "sh", "-c"]
"""Gives a command file systems of its own, which nobody else sees; most Linux machines let users do so."""


def small_disk(folder: Path, size: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in `folder`, which for it is a disk of that size that holds what lies there now."""
    script = (
        f"set -e; mkdir {folder}.kept; cp -a {folder}/. {folder}.kept/; mount -t tmpfs -o size={size} none {folder}; "
        f"cp -a {folder}.kept/. {folder}/; rm -r {folder}.kept; cd {folder}; set +e; {command}"
    )
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run([*WITH_DISK, script], env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def disks(tmp_path):
    """Skip where no disk can be made."""
    (tmp_path / "try").mkdir()
    if not shutil.which("unshare") or small_disk(tmp_path / "try", "64k", "true").returncode:
        pytest.skip("this machine lets nobody mount a small disk")


@pytest.fixture
def place(tmp_path):
    """A DVC repository with the first source's faces, pinned."""
    folder = tmp_path / "place"
    folder.mkdir()
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "first.csv").write_bytes(csv_of(FIRST))
    (folder / "second.csv").write_bytes(csv_of(SECOND))
    done = ingest(folder, "first.csv")
    assert done.wait() == 0
    return folder


def ingest(folder: Path, source: str) -> subprocess.Popen[str]:
    """Start an ingest in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tasks.ingest", source], cwd=folder, env={**environment(), "PYTHONPATH": str(ROOT)},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def lies(folder: Path) -> str:
    """Return the fingerprint of the data, whose two files belong together."""
    found = read_faces(folder / "data/faces.parquet").fingerprint()
    assert read_provenance(folder / "data/provenance.json").fingerprint == found
    return found


@pytest.mark.fault("ingest", "the disk is full")
def test_a_full_disk_is_said_and_the_data_is_as_it_was(disks, place, seen):
    room = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) + (1 << 20)
    after = Path(f"{place}.after")
    after.mkdir()
    done = small_disk(
        place,
        f"{room}",
        f"{sys.executable} -m tasks.ingest second.csv; code=$?; cp -r data data.dvc {after}; exit $code",
    )
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()[-1]
    assert said == "error: data: No space left on device; the data is as it was, make room and run it again"
    assert "Traceback" not in done.stderr
    assert lies(after) == FIRST.fingerprint()
    assert (after / "data.dvc").read_bytes() == (place / "data.dvc").read_bytes()
    assert ingest(place, "second.csv").wait() == 0  # with room
    assert lies(place) == SECOND.fingerprint()
    seen(said)


@pytest.mark.fault("ingest", "killed at any moment while DVC pins the data")
def test_a_kill_in_dvc_add_loses_nothing_and_the_next_ingest_pins(place, seen):
    rounds, pinned = 3, (place / "data.dvc").read_bytes()
    for _ in range(rounds):
        killed_while_dvc_adds(place)
        assert lies(place) in {FIRST.fingerprint(), SECOND.fingerprint()}
        assert yaml.safe_load((place / "data.dvc").read_text())["outs"][0]["path"] == "data"
    again = ingest(place, "second.csv")
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert lies(place) == SECOND.fingerprint()
    assert (place / "data.dvc").read_bytes() != pinned
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "up to date" in status.stdout
    # What the first ingest pinned is still in the cache.
    (place / "data.dvc").write_bytes(pinned)
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "--force"], cwd=place, env=environment(), check=True)
    assert lies(place) == FIRST.fingerprint()
    seen(f"{rounds} kills: data, pin and cache were whole each time; the next ingest pinned the new data")


def killed_while_dvc_adds(place: Path) -> None:
    """Start an ingest, wait until DVC is at work, and kill all of it a moment later."""
    running = ingest(place, "second.csv")
    deadline = time.monotonic() + 120
    while not any("dvc" in " ".join(child.cmdline()) for child in children(running.pid)):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.uniform(0, 2.5))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def children(pid: int) -> list[psutil.Process]:
    """Return the processes that a process started, but for those that are over."""
    alive = []
    for child in psutil.Process(pid).children():
        try:
            child.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        alive.append(child)
    return alive
