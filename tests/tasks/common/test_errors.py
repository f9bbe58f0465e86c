from pathlib import Path

import pytest

from tasks.common.errors import UserError, command


@command
def refused() -> None:
    raise UserError("faces.csv, row 3: found 8, expected 0 to 6")


@command
def full() -> None:
    Path("/dev/full").write_text("x")


@command
def faulty() -> None:
    Path("nowhere/at/all").read_text()


def test_bad_input_ends_with_its_sentence():
    with pytest.raises(SystemExit, match=r"^error: faces\.csv, row 3: found 8, expected 0 to 6$"):
        refused()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_ends_with_a_sentence():
    with pytest.raises(SystemExit, match=r"^error: No space left on device; make room, and start the same command"):
        full()


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(FileNotFoundError):
        faulty()
