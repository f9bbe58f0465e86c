"""The server that a run brings, where the machine is not as most are."""

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
        assert said.splitlines()[-1] == then
