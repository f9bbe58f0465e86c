"""Workspaces to examine."""

import os
import shutil

import pytest

from flows.doctor import cards, probe
from tests.conftest import ROOT
from tests.workspaces import make, run


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A workspace with all that the doctor looks at, and pinned data."""
    folder = make(tmp_path_factory.mktemp("house"), {"train": {"device": "auto"}})
    if not (folder / "flows").exists():
        shutil.copytree(ROOT / "flows", folder / "flows")
    for name in ("pyproject.toml", "requirements.lock", "requirements-gpu.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "data").mkdir()
    (folder / "data" / "faces.parquet").write_text("faces")
    run(folder, "dvc", "add", "--quiet", "data")
    return folder


@pytest.fixture
def here(house, tmp_path, monkeypatch):
    """A copy of that workspace, to break, as the working folder."""
    folder = shutil.copytree(house, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """Nothing that was found in another test is remembered, and no server of the tester's is asked."""
    monkeypatch.setenv("PREFECT_PROFILES_PATH", os.devnull)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    cards.look.cache_clear()
    probe.probe.cache_clear()
