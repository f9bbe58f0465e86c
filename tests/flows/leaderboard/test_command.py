"""The command, over real experiments."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from flows.leaderboard import PAGE, compare, read_published
from tasks.common.errors import UserError
from tests.conftest import ROOT
from tests.flows.leaderboard.toy import make
from tests.workspaces import commit, environment


def test_the_command_prints_a_plain_line_a_run_and_writes_the_page(copy):
    sweeps = copy / "sweeps"
    sweeps.mkdir()
    listed = [{"name": "long", "published": {"accuracy": 0.611, "macro_f1": 0.5}}, {"name": "fast", "set": {"x": 3}}]
    (sweeps / "grid.yaml").write_text(yaml.safe_dump({"runs": listed}))
    said = leaderboard(copy, "--sweep", "grid").stdout
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["grid-unscored", "grid-long", "grid-fast"]
    assert not set("│┃━─\x1b") & set(said)
    assert "looked at 2 times, by grid-fast, grid-long" in said
    page = (copy / PAGE).read_text()
    assert "Leaderboard: grid" in page
    assert "seeds-wide" not in page
    assert "Beside the published figures" in page
    assert "+3.9" in page, "0.65 against 0.611"
    cheap = leaderboard(copy, "--by", "cost").stdout.splitlines()
    assert cheap[1].startswith("seeds-wide (3 seeds)")


def test_a_page_without_the_cache_says_that_the_curves_are_missing(copy):
    shutil.rmtree(copy / ".dvc" / "cache")
    compare(copy)
    assert "No curves are at hand" in (copy / PAGE).read_text()


def test_where_there_is_nothing_to_compare_one_sentence_says_so(copy, tmp_path):
    none = leaderboard(copy, "--sweep", "absent", ok=False)
    assert (
        none.stderr
        == "error: there is no experiment of the sweep absent yet; make them with `make tune SWEEP=absent`\n"
    )
    empty = make(tmp_path / "empty")
    commit(empty, "nothing was run")
    assert leaderboard(empty, ok=False).stderr == "error: there is no experiment yet; make one with `make run`\n"


def test_published_figures_are_read_by_the_name_of_the_experiment(tmp_path):
    (tmp_path / "capstone.yaml").write_text("runs:\n  - {name: sgd, published: {accuracy: 0.335}}\n  - name: plain\n")
    (tmp_path / "search.yaml").write_text("search: {trials: 3, space: {train.momentum: [0.5, 0.9]}}\n")
    assert read_published(tmp_path) == {"capstone-sgd": 0.335}
    (tmp_path / "wrong.yaml").write_text("runs:\n  - {name: a, published: {accuracy: high}}\n")
    with pytest.raises(UserError, match=r"wrong\.yaml, line 2: runs\.0\.published\.accuracy: found 'high'"):
        read_published(tmp_path)


def test_the_project_itself_has_published_figures_to_set_beside():
    assert read_published(ROOT / "sweeps")["capstone-baseline"] == 0.569


def leaderboard(folder: Path, *words: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    where = environment() | {"PYTHONPATH": str(ROOT)}
    command = ["python", "-m", "flows.leaderboard", *words]
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if ok else 1), done.stderr
    return done
