import shutil
from pathlib import Path

import pytest

from tests.flows.leaderboard.toy import RUNS, UNTIL_TRAIN, experiment, make
from tests.workspaces import commit, run


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a committed run and the experiments `RUNS`: to be copied, where a test changes it."""
    folder = make(tmp_path_factory.mktemp("board") / "repository")
    run(folder, "dvc", "repro", "--quiet")
    commit(folder, "one run")
    for name, changed in RUNS.items():
        experiment(folder, name, *changed, until="train" if name in UNTIL_TRAIN else None)
    return folder


@pytest.fixture
def copy(board: Path, tmp_path: Path) -> Path:
    return shutil.copytree(board, tmp_path / "copy", symlinks=True)
