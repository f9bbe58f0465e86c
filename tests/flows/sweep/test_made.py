"""What counts as the experiment that a sweep asks for: its parameters, its data, its code."""

import shutil
from pathlib import Path

import pytest

from flows.sweep.made import Asked, check_code, is_there, other_code, refs, supersede
from tasks.common import paths
from tasks.common.errors import UserError
from tests.flows.learner import RULE, make
from tests.workspaces import commit, run


@pytest.fixture(scope="module")
def made(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the experiment `one`: to be copied."""
    folder = make(finished_workspace, tmp_path_factory.mktemp("made") / "learner")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "dvc", "exp", "save", "--name", "one")
    run(folder, "git", "restore", ".")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy", symlinks=True)


TRAINED, SCORED = Asked("one", {}, "train"), Asked("one", {}, None)


def test_an_experiment_of_the_name_with_other_parameters_or_data_is_another(folder):
    assert is_there(folder, SCORED)
    assert not is_there(folder, Asked("two", {}, None))
    with pytest.raises(UserError, match=r"one: .* differs in train\.epochs; remove it \(`dvc exp remove one`\)"):
        is_there(folder, Asked("one", {"train.epochs": 7}, None))
    pin = folder / "data.dvc"
    pin.write_text(pin.read_text().replace("md5: ", "md5: 0", 1))
    with pytest.raises(UserError, match=r"differs in data\.dvc"):
        is_there(folder, SCORED)


def test_code_is_compared_of_the_stages_that_a_run_needs_alone(folder):
    assert other_code(folder, TRAINED) == other_code(folder, SCORED) == []
    (folder / "evaluation.json").open("a").write("\n")
    assert other_code(folder, TRAINED) == []
    assert other_code(folder, SCORED) == ["evaluation.json"]
    (folder / "parts" / "rule.py").write_text(RULE + "\n")
    commit(folder, "another rule")
    assert other_code(folder, TRAINED) == ["parts/rule.py"]
    graph = folder / "dvc.yaml"
    graph.write_text(graph.read_text().replace("python toy.py", "python -u toy.py"))
    assert other_code(folder, TRAINED) == ["parts/rule.py", "the command of train"]


def test_a_baseline_is_no_code(folder):
    shutil.copy(folder / paths.BASELINES / "capstone.json", folder / paths.BASELINES / "next.json")
    commit(folder, "a baseline")
    assert other_code(folder, SCORED) == []


def test_what_a_run_would_not_have_is_refused(folder, tmp_path):
    check_code(folder, pool=True)
    (folder / "parts" / "new.py").write_text("")
    with pytest.raises(UserError, match=r"parts/new\.py: unknown to git"):
        check_code(folder, pool=False)
    run(folder, "git", "add", "parts")
    check_code(folder, pool=False)
    with pytest.raises(UserError, match=r"parts/new\.py: not as in the last commit, which the pool's workers clone"):
        check_code(folder, pool=True)
    run(folder, "git", "init", "--quiet", "--bare", str(tmp_path / "origin"))
    run(folder, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    run(folder, "git", "push", "--quiet", "origin", "main")
    commit(folder, "a part")
    with pytest.raises(UserError, match=r"parts/new\.py: not as in main on origin"):
        check_code(folder, pool=True)
    run(folder, "git", "push", "--quiet", "origin", "main")
    check_code(folder, pool=True)


def test_a_new_experiment_takes_the_place_of_the_old_one_here_and_on_the_remote(folder, tmp_path):
    run(folder, "git", "init", "--quiet", "--bare", str(tmp_path / "origin"))
    run(folder, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    before = refs(folder, "one")
    assert not supersede(folder, "one", before, remote=True)
    (folder / "parts" / "rule.py").write_text(RULE + "\n")
    commit(folder, "another rule")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "dvc", "exp", "save", "--name", "one")
    run(folder, "git", "push", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    assert len(refs(folder, "one")) == 2
    assert supersede(folder, "one", before, remote=True)
    (left,) = refs(folder, "one")
    assert left not in before
    assert run(folder, "git", "ls-remote", "origin", "refs/exps/*/*/one").split()[1:] == [left]
    assert other_code(folder, SCORED) == []
