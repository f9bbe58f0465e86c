"""`make reliability` finds its tests; running them all is for those who want the page anew."""

import os
import subprocess

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def test_make_reliability_starts_and_to_look_at_its_tests_leaves_the_page():
    before = PAGE.read_bytes()
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only -q --ignore=tests/flows --ignore=tests/model"}
    done = subprocess.run(
        ["make", "reliability"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/tasks/ingest/test_faults.py::" in done.stdout
    assert PAGE.read_bytes() == before
