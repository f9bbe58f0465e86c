import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.leash import Leash
from flows.stage import Ended
from tests.conftest import ROOT
from tests.flows.conftest import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has the project's packages: the leash is a module of them."""
    (tmp_path / "flows").symlink_to(ROOT / "flows")
    return tmp_path


def test_lines_come_as_they_are_written_and_the_status_at_the_end(folder):
    heard: list[tuple[float, str]] = []
    with Leash(folder) as leash:
        status = leash.run(
            ["sh", "-c", "echo one; sleep 1; echo two >&2; exit 3"], lambda line: heard.append((time.monotonic(), line))
        )
        assert status == 3
        assert [line for _, line in heard] == ["one", "two"]
        assert heard[1][0] - heard[0][0] > 0.7
        assert leash.run(["sh", "-c", "printf unended"], lambda line: heard.append((0, line))) == 0
        assert heard[-1][1] == "unended"
        assert leash.run(["no-such-program"]) == 127


def test_a_signal_is_a_negative_status(folder):
    with Leash(folder) as leash:
        assert leash.run(["sh", "-c", "kill -9 $$"]) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("status", "line", "name"),
    [
        (-9, "anything", "SIGKILL"),
        (255, "ERROR: failed to reproduce 'train': failed to run: python -m tasks.train, exited with -9", "SIGKILL"),
        (255, "ERROR: failed to reproduce 'train': failed to run: python -m tasks.train, exited with 143", "SIGTERM"),
        (255, "ERROR: failed to reproduce 'train': failed to run: python -m tasks.train, exited with 1", None),
        (1, "error: no such file", None),
    ],
)
def test_the_signal_that_ended_a_stage_is_named(status, line, name):
    assert Ended(status, ("before", line)).signal() == name


def test_dvc_runs_on_a_leash_as_it_does_alone(finished_workspace):
    heard: list[str] = []
    with Leash(finished_workspace) as leash:
        assert leash.run(["dvc", "repro", "--single-item", "gate"], heard.append) == 0
        assert "Stage 'gate' didn't change, skipping" in heard
        assert leash.run(["dvc", "repro", "--single-item", "nothing"], heard.append) != 0
        assert any("'nothing' not found" in line for line in heard)


def sleepers(mark: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_a_group_ends_with_the_one_who_holds_it_however_that_ends(folder):
    mark = f"4{os.getpid()}.25"  # seconds to sleep, found again in the list of processes
    code = (
        "from pathlib import Path; from flows.leash import Leash\n"
        f"with Leash(Path('.')) as leash: leash.run(['sh', '-c', 'sleep {mark} & sleep {mark}'])"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=folder)
    until(lambda: len(sleepers(mark)) == 2, 20)
    holder.kill()
    holder.wait()
    until(lambda: not sleepers(mark), 20)


def test_what_ignores_a_request_is_forced(folder):
    code = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; print('up', flush=True)"
    started = time.monotonic()
    mark = f"5{os.getpid()}.25"
    program = f"from pathlib import Path; from flows.leash import Leash\nLeash(Path('.')).run({[sys.executable, '-c', f'{code}; time.sleep({mark})', mark]!r}, print)"  # noqa: E501
    holder = subprocess.Popen([sys.executable, "-uc", program], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "up\n"
    holder.kill()
    holder.wait()
    until(lambda: not sleepers(mark), 20)
    assert time.monotonic() - started > 2
