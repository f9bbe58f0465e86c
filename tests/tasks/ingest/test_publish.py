"""New data in place of the old: whole, or not at all, whenever the process dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.provenance import read_provenance
from tasks.common.tables import read_faces
from tasks.ingest import publish as publishing
from tasks.ingest.__main__ import ingest
from tasks.ingest.publish import OLD, WORK, workspace

from .helpers import csv_of, some_faces

ROOT = Path(__file__).parents[3]
FIRST, SECOND = some_faces(9, seed=1), some_faces(12, seed=2)
BOTH = {FIRST.fingerprint(), SECOND.fingerprint()}

# For each line of input: starts a process that replaces the data again and again, and kills it. (PyArrow imports pandas
# when it is first used, which would take most of each such process's life.)
KILLER = """
import itertools, os, random, signal, sys, time
import pandas
from tasks.ingest.__main__ import ingest
for line in sys.stdin:
    child = os.fork()
    if not child:
        for source in itertools.cycle(["second.csv", "first.csv"]):
            ingest(source)
    time.sleep(random.uniform(0, 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder that holds two sources."""
    monkeypatch.chdir(tmp_path)
    Path("first.csv").write_bytes(csv_of(FIRST))
    Path("second.csv").write_bytes(csv_of(SECOND))
    return tmp_path


def published() -> str:
    """Return the fingerprint of `data/`, having checked that its two files belong together."""
    found = read_faces(paths.FACES).fingerprint()
    assert read_provenance(paths.PROVENANCE).fingerprint == found
    return found


@pytest.mark.fault("ingest", "killed at any moment while the new data takes the place of the old")
def test_a_kill_at_any_moment_leaves_old_or_new_data(seen):
    ingest("first.csv")
    found, interrupted = set(), 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", KILLER], env=environment, text=True, **pipes) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        rounds = 0
        while rounds < 25 or found != BOTH or not interrupted:
            rounds += 1
            print(file=killer.stdin, flush=True)
            assert killer.stdout.readline() == "\n"
            found.add(published())
            interrupted += WORK.exists()
        killer.stdin.close()
    ingest("first.csv")
    assert published() == FIRST.fingerprint()
    assert sorted(path.name for path in Path().iterdir()) == ["data", "first.csv", "second.csv"]
    seen("25 kills and more: the old data or the new, both files of it, and never a mixture")


def test_equal_sources_give_equal_bytes():
    ingest("first.csv")
    first = paths.FACES.read_bytes(), paths.PROVENANCE.read_bytes()
    ingest("second.csv")
    ingest("first.csv")
    assert (paths.FACES.read_bytes(), paths.PROVENANCE.read_bytes()) == first


def test_where_folders_cannot_be_exchanged_two_renames_do(monkeypatch):
    monkeypatch.setattr(publishing, "exchange", lambda first, second: False)
    ingest("first.csv")
    ingest("second.csv")
    assert published() == SECOND.fingerprint()
    assert not WORK.exists()


def test_a_kill_between_two_renames_is_put_right_by_the_next_ingest():
    ingest("first.csv")
    WORK.mkdir()
    paths.DATA.rename(OLD)
    with pytest.raises(UserError, match="no such file"):
        ingest("third.csv")
    assert published() == FIRST.fingerprint()
    assert not WORK.exists()


@pytest.mark.parametrize("content", [b"", b"emotion,pixels,Usage\n1,2,3\n", csv_of(FIRST)[:-5000], None])
def test_a_bad_source_leaves_data_untouched(content):
    ingest("first.csv")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths.DATA.iterdir()}
    if content is not None:
        Path("bad.csv").write_bytes(content)
    with pytest.raises(UserError):
        ingest("bad.csv")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths.DATA.iterdir()} == before
    assert not WORK.exists()


def test_files_of_others_in_data_are_not_lost():
    paths.DATA.mkdir()
    (paths.DATA / "fer2013.csv").write_bytes(csv_of(FIRST))
    with pytest.raises(UserError, match=r"^data/fer2013.csv: .* move this file elsewhere"):
        ingest("data/fer2013.csv")
    assert (paths.DATA / "fer2013.csv").read_bytes() == csv_of(FIRST)


def test_two_ingests_at_once_are_one_too_many():
    with workspace(), pytest.raises(UserError, match="another ingest is at work"):
        ingest("first.csv")
    ingest("first.csv")
    assert published() == FIRST.fingerprint()
