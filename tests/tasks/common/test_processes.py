"""Stages under DVC, or what stands in its place: a process that starts a shell that starts Python."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tasks.common.errors import UserError
from tasks.common.processes import exclusive

STAGE = "import time; from tasks.common.processes import end_with_dvc; end_with_dvc(); print('up', flush=True)"
SHELLS = {"a shell that becomes the stage": "{}", "a shell that stays until the stage ends": "{}; exit"}


def starter(shell: str, seconds: int) -> subprocess.Popen[str]:
    """Start a Python that starts a shell that starts a stage of some seconds, as DVC does."""
    stage = f'{sys.executable} -c "{STAGE}; time.sleep({seconds})"'
    code = f"import subprocess; subprocess.run({shell.format(stage)!r}, shell=True)"
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "DVC_STAGE": "train"}, stdout=subprocess.PIPE, text=True
    )


def gone(process: psutil.Process, seconds: float) -> bool:
    """Say whether the process has ended, or does within some seconds."""
    end = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("shell", SHELLS)
def test_a_stage_ends_soon_after_the_dvc_that_started_it(shell):
    dvc = starter(SHELLS[shell], 60)
    assert dvc.stdout
    assert dvc.stdout.readline() == "up\n"
    stage = psutil.Process(dvc.pid).children(recursive=True)[-1]
    assert "end_with_dvc" in " ".join(stage.cmdline())
    assert not gone(stage, 1.5)  # while its DVC lives, it stays
    dvc.kill()
    dvc.wait()
    assert gone(stage, 10)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_stage_whose_dvc_waits_is_left_alone(shell):
    dvc = starter(SHELLS[shell], 2)
    assert dvc.communicate(timeout=60)[0] == "up\n"
    assert dvc.returncode == 0


def test_a_lock_is_refused_while_held_and_free_after_a_kill(tmp_path):
    lock = tmp_path / "folder" / "lock"
    code = "import sys, time, pathlib; from tasks.common.processes import exclusive\n"
    code += "with exclusive(pathlib.Path(sys.argv[1]), 'it'): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    sentence = f"this training is still at work in process {holder.pid}"
    with pytest.raises(UserError, match=sentence), exclusive(lock, "this training", patience=0.3):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive(lock, "this training", patience=0.3):
        assert lock.read_text() == str(os.getpid())


def test_who_waited_for_a_lock_that_its_holder_removed_holds_the_next_one(tmp_path):
    lock, held, done = tmp_path / "lock", threading.Event(), threading.Event()

    def wait_for_it():
        with exclusive(lock, "it"):
            held.set()
            done.wait(10)

    waiting = threading.Thread(target=wait_for_it)
    with exclusive(lock, "it"):
        waiting.start()
        time.sleep(0.5)  # so that it has opened the file that goes
        lock.unlink()
    assert held.wait(10)
    with pytest.raises(UserError, match="it is still at work"), exclusive(lock, "it", patience=0.3):
        pass
    done.set()
    waiting.join()
