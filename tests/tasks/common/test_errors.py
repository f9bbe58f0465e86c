import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.common.errors import UserError, command
from tasks.common.files import write_text
from tests.conftest import ROOT


@command
def refused() -> None:
    raise UserError("faces.csv, row 3: found 8, expected 0 to 6")


@command
def full() -> None:
    Path("/dev/full").write_text("x")


@command
def faulty() -> None:
    Path("nowhere/at/all").read_text()


@command
def certified() -> None:
    raise ssl.SSLError(1, "certificate verify failed")


def started(folder: Path, code: str, *before: str) -> subprocess.Popen[str]:
    """Start a command of its own, whose `main` is these lines, in a folder."""
    lines = code.replace("\n", "\n    ")
    head = "from pathlib import Path\nfrom tasks.common.errors import command\n"
    head += "from tasks.common.files import write_text\n@command\ndef main():\n    "
    return subprocess.Popen(
        [*before, sys.executable, "-c", f"{head}{lines}\nmain()"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_bad_input_ends_with_its_sentence():
    with pytest.raises(SystemExit, match=r"^error: faces\.csv, row 3: found 8, expected 0 to 6$"):
        refused()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_ends_with_a_sentence():
    with pytest.raises(SystemExit, match=r"^error: No space left on device; make room, and start the same command"):
        full()


@pytest.mark.parametrize("fault", [faulty, certified])
def test_a_fault_of_ours_keeps_its_traceback(fault: Callable[[], None]):
    with pytest.raises(OSError, match=r"No such file|certificate"):
        fault()


def folder_in_the_way(place: Path) -> None:
    place.mkdir(parents=True)


def file_in_the_way(place: Path) -> None:
    place.parent.write_text("a file where a folder belongs")


@pytest.mark.parametrize(
    ("lay", "sentence"),
    [
        (folder_in_the_way, "{place}: Is a directory; move that folder away, a file belongs there, and start"),
        (file_in_the_way, "{place.parent}: Not a directory; move the file away that lies where a folder belongs, and"),
    ],
)
def test_what_lies_where_a_file_is_to_be_written_is_named(
    tmp_path: Path, lay: Callable[[Path], None], sentence: str
) -> None:
    place = tmp_path / "metrics" / "scores.json"
    lay(place)
    with pytest.raises(SystemExit) as stop:
        command(lambda: write_text(place, "{}"))()
    assert str(stop.value.code).startswith("error: " + sentence.format(place=place))


@pytest.mark.skipif(not shutil.which("prlimit"), reason="no prlimit, which Linux has")
def test_a_limit_on_the_size_of_files_is_named(tmp_path: Path) -> None:
    process = started(tmp_path, "write_text(Path('report.html'), 'x' * 100_000)", "prlimit", "--fsize=1000")
    _, said = process.communicate(timeout=60)
    assert said.splitlines() == [
        "error: report.html: File too large; let files grow larger (`ulimit -f` says how large they may be), "
        "and start the same command again"
    ]
    assert process.returncode == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv, which Linux has")
def test_a_folder_that_is_not_ours_to_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir(mode=0o555)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    process = started(tmp_path, "write_text(Path('metrics/scores.json'), '{}')", *powerless)
    _, said = process.communicate(timeout=60)
    assert said.startswith("error: metrics/scores.json: Permission denied; see with `ls -ld` who may read and write")
    assert (process.returncode, said.count("\n")) == (1, 1)


def test_ctrl_c_ends_with_a_line_and_the_status_of_shells(tmp_path: Path) -> None:
    waiting = "print('at work', flush=True)\nsignal.pause()"  # a shell's background job ignores Ctrl-C, and so would it
    process = started(tmp_path, f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{waiting}")
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("interrupted; no file is left half written")
    assert said.count("\n") == 1
