import gc
import sys

import pytest

from model.importing import import_without

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
