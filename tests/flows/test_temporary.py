"""The server that a run brings, where the machine is not as most are."""

import os

import pytest

from flows.temporary import begin
from tests.conftest import ROOT
from tests.workspaces import run

BROUGHT = (
    "python",
    "-c",
    "import os; from flows import temporary; temporary.begin(); temporary.wait(); print(os.environ['NO_PROXY'])",
)


def test_no_proxy_is_asked_for_the_server_that_a_run_brings(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    for given, then in (("example.org", "example.org,127.0.0.1,localhost"), ("*", "*")):
        monkeypatch.setenv("NO_PROXY", given)
        said = run(tmp_path, *BROUGHT)
        assert "the run brings its own" in said
        assert then in said.splitlines()


def test_where_prefect_can_keep_nothing_one_sentence_says_what_to_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "file" / "prefect"))  # root may write into any folder
    with pytest.raises(
        SystemExit, match=r"^error: Prefect's folder .*Not a directory.*`export PREFECT_HOME=/tmp/prefect`"
    ):
        begin()
    monkeypatch.delenv("PREFECT_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)  # whom the system does not know, as in many a container
    with pytest.raises(SystemExit, match=r"^error: Prefect's folder .*Could not determine home directory"):
        begin()
