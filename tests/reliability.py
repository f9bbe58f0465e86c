"""The table of faults: what was tried, and what was seen, as the tests that carry `fault` tell it.

    python -m pytest -m fault --reliability=docs/reliability.md

A test's mark names the place and the fault; `seen` takes the sentence that a user gets. Words that differ from run to
run (folders, ports, buckets) become `…`, so that the table changes when the behaviour does.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest

HEAD: Final = """# What was broken on purpose, and what was seen

Written by the tests: `make reliability` runs those that break something and writes this page. Between them they check
that the earlier data, champion and cache are whole afterwards, that what is said is one sentence that tells what to do,
and that another try succeeds where it can.

| where | what was broken | what was seen |
| --- | --- | --- |
"""
_VARYING: Final = (
    (re.compile(r"/[^ ,;'\"|]*pytest-of[^ ,;'\"|:]*"), "…"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:…"),
    (re.compile(r"\bb\d{9,}"), "bucket"),
    (re.compile(r"0x[0-9a-f]+|[0-9a-f]{32,}|(?<=\.downloads/)[0-9a-f/]+|(?<=files/md5/)[0-9a-f/]+"), "…"),
    (re.compile(r"(?<=at last after )[0-9,]+"), "…"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", type=Path, metavar="FILE", help="write the table of faults there")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(where, what): breaks something, and stands in docs/reliability.md")
    config.pluginmanager.register(_Table(config), "reliability-table")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the mark travel with the report, which a test's process sends to the one that writes."""
    mark = item.get_closest_marker("fault")
    if mark:
        item.user_properties.append(("fault", mark.args))


@pytest.fixture
def seen(record_property):
    """Take the sentence that a user gets, or what else was seen."""
    return lambda what: record_property("seen", " ".join(str(what).split()))


class _Table:
    """Gathers the reports and writes the page."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rows: list[tuple[str, str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: dict[str, Any] = dict(report.user_properties)
        if "fault" not in told or (report.when != "call" and not (report.skipped or report.failed)):
            return
        where, what = told["fault"]
        outcome = {"passed": str(told.get("seen", "it passed unnoticed")), "failed": "**the test failed**"}
        self._rows.append((where, what, outcome.get(report.outcome, "not tried on this machine")))

    def pytest_sessionfinish(self) -> None:
        path = self._config.getoption("--reliability")
        if path and not self._config.option.collectonly and not hasattr(self._config, "workerinput"):
            lines = (" | ".join(_steady(cell).replace("|", "/") for cell in row) for row in sorted(set(self._rows)))
            path.write_text(HEAD + "".join(f"| {line} |\n" for line in lines), encoding="utf-8")


def _steady(text: str) -> str:
    for varying, instead in _VARYING:
        text = varying.sub(instead, text)
    return text
