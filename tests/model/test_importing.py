import gc
import subprocess
import sys

import pytest

from model.importing import import_without
from tests.conftest import ROOT

LARGE = """
import gc
collecting = gc.isenabled()
try:
    import extra
except ImportError:
    extra = None
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    (tmp_path / "large.py").write_text(LARGE)
    (tmp_path / "extra.py").touch()
    (tmp_path / "broken.py").write_text("import extra")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("large", "extra", "broken"):
        sys.modules.pop(name, None)


def test_a_package_is_imported_without_what_is_left_out_which_is_there_afterwards(packages):
    import_without("large", {"extra"})
    large = sys.modules["large"]
    assert large.extra is None
    assert not large.collecting
    assert gc.isenabled()
    __import__("extra")
    assert sys.modules["extra"].__file__


def test_what_is_there_already_stays(packages):
    __import__("extra")
    import_without("large", {"extra"})
    assert sys.modules["large"].extra is sys.modules["extra"]


def test_an_import_that_fails_leaves_nothing_behind(packages):
    with pytest.raises(ImportError):
        import_without("broken", {"extra"})
    assert gc.isenabled()
    assert "extra" not in sys.modules


def test_a_collector_that_was_stopped_stays_stopped(packages):
    gc.disable()
    try:
        import_without("large", set())
        assert not gc.isenabled()
    finally:
        gc.enable()


CHATTERING = """
import os, sys
from model.importing import unheard
with unheard("chatter", "idle talk"):
    os.write(2, b"chatter of C++\\na word\\nsome idle talk\\n")
    print("a warning", file=sys.stderr, flush=True)
    {within}
print("chatter, later", file=sys.stderr)
"""


def chattering(within, through='exec "$@"'):
    """Return the exit status of the program above and what it wrote, started by a line of the shell."""
    command = ["sh", "-c", through, "sh", sys.executable, "-c", CHATTERING.format(within=within)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_chatter_is_unheard_for_as_long_as_it_is_asked_and_all_else_is_heard():
    assert chattering("pass") == (0, "a word\na warning\nchatter, later\n")


def test_the_last_words_of_a_process_that_dies_are_heard():
    assert chattering('os.write(2, b"no AVX here\\n"); os.abort()') == (-6, "a word\na warning\nno AVX here\n")


def test_an_error_is_raised_as_ever():
    status, said = chattering('raise ImportError("no such chatter")')
    assert status == 1
    assert said.endswith("ImportError: no such chatter\n")


def test_without_grep_all_is_heard():
    everything = "chatter of C++\na word\nsome idle talk\na warning\nchatter, later\n"
    assert chattering("pass", through='PATH=/nowhere; exec "$@"') == (0, everything)


def test_where_the_standard_error_is_closed_the_import_goes_on():
    code = "from model.importing import unheard\nwith unheard('chatter'):\n    print('done')"
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout == "done\n"
