"""Sweeps on a real server, over a graph of toy stages: what is tried is which runs are made, and when."""

import signal
from pathlib import Path

import pytest
from optuna.trial import TrialState

from flows.experiment import experiments, git
from flows.sweep.attempt import Here
from flows.sweep.choice import best_of
from flows.sweep.definition import Planned, Search
from flows.sweep.made import Asked, refs
from flows.sweep.search import finished, open_study, propose, trials
from flows.tune import Tuning, check, chosen, study_of
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.processes import cores
from tests.flows.conftest import Server, servers, stages, until
from tests.flows.learner import RULE, TUNE, accuracies, backups, gone, listed, make, sweep, tuned
from tests.workspaces import commit, run, start


@pytest.fixture(scope="module")
def learner(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository for all tests here; each has a sweep of its own in it."""
    return make(finished_workspace, tmp_path_factory.mktemp("tune") / "learner")


def test_a_sweep_that_was_killed_goes_on_with_the_code_of_now(learner, server: Server, messages, monkeypatch):
    run(learner, "dvc", "remote", "add", "--quiet", "--default", "store", "../remote")  # DVC keeps it relative
    commit(learner, "a remote")
    runs = {"a": (0.2, 2), "long": (0.1, 10), "bad": (0.95, 2)}
    sweep(learner, "few", score="all", runs=listed(runs))
    process = start(learner, *TUNE, "few")
    until(lambda: "few-a" in experiments(learner) and list(learner.glob(".backup/*/state")), 180)
    process.kill()
    until(lambda: gone(learner), 30)
    assert accuracies(learner, "few") == {"few-a": 0.8}
    rule = learner / "parts" / "rule.py"
    rule.write_text(RULE.replace("1 -", "1.1 -"))
    commit(learner, "another rule")
    rule.write_text("from parts.top import TOP\n" + RULE.replace("1 -", "TOP -"))
    (learner / "parts" / "top.py").write_text("TOP = 0.95\n")
    run(learner, "git", "add", "parts")  # what is not committed goes along

    changes = run(learner, "git", "status", "--porcelain").splitlines()
    port, came = messages
    monkeypatch.setenv("FACIAL_EMOTION_NOTIFY", f"json://127.0.0.1:{port}/")
    status, said = tuned(learner, "few")
    assert status == 1
    assert "error: few-bad: train failed" in said
    assert (
        "few-a is run again: the code has changed since its experiment was made (parts/rule.py, parts/top.py)" in said
    )
    assert "going on from epoch" in said
    assert [message["title"] for message in came] == ["tune: tune-few ended as Incomplete"]
    assert accuracies(learner, "few") == {"few-a": 0.75, "few-long": 0.85}
    assert len(refs(learner, "few-a")) == 1
    assert git(learner, "show", f"{experiments(learner)['few-a']}:parts/top.py") == "TOP = 0.95"
    ends = {name: one["state_name"] for name, one in server.task_runs("tune-few").items()}
    assert ends == {"few-a": "Completed", "few-long": "Completed", "few-bad": "Failed"}
    pushed = {path.read_bytes() for path in (learner.parent / "remote").rglob("*") if path.is_file()}
    assert {b"2", b"10"} <= pushed
    assert not backups(learner / paths.BACKUPS)
    assert not list((learner / ".dvc/tmp/places").iterdir())
    assert run(learner, "git", "status", "--porcelain").splitlines() == changes
    monkeypatch.chdir(learner)
    what_is_there_is_left_alone(learner, runs)


def what_is_there_is_left_alone(learner: Path, runs: dict[str, tuple[float, int]]) -> None:
    """Hold to it that a run that is there is chosen and not made again, and that another of its name is refused."""
    tuning = Tuning(learner, "few", check(learner, "few", pool=False), Here(learner))
    best, made = chosen(tuning), experiments(learner)["few-long"]
    assert best == Asked("few-long", {"train.learning_rate": 0.1, "train.epochs": 10}, None)
    assert tuning.make(best, print).name == "Unchanged"
    assert experiments(learner)["few-long"] == made
    sweep(learner, "few", score="all", runs=listed(runs | {"a": (0.2, 3)}))
    with pytest.raises(UserError, match=r"few-a: an experiment of that name is there, which differs in train\.epochs"):
        check(learner, "few", pool=False)


def test_a_search_survives_a_kill_stops_what_is_hopeless_and_begins_anew_with_other_code(
    learner, server: Server, monkeypatch
):
    space = {"train.learning_rate": {"low": 0.01, "high": 0.8}, "train.optimizer": ["adam", "sgd"]}
    search = {"trials": 3, "startup": 2, "patience": 1, "seed": 21, "space": space}  # its third proposal is the worst
    sweep(learner, "wide", set={"train.epochs": 4}, search=search)
    process = start(learner, *TUNE, "wide")
    until(lambda: server.log("wide-t002"), 120)
    process.send_signal(signal.SIGINT)
    before, _ = process.communicate(timeout=60)
    assert before.splitlines()[-1].startswith("error: the sweep was let go of: its runs have ended;")
    until(lambda: gone(learner), 30)
    status, said = tuned(learner, "wide")
    assert status == 0, said
    parsed = Search.model_validate(search)
    known = open_study(learner, "wide", parsed).get_trials()
    assert [one.state for one in known] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    assert "below the others' median" in before + said
    found = accuracies(learner, "wide")
    best, name = max((one.value, f"wide-t{one.number:03d}") for one in known[:2])
    assert set(found) == {"wide-t000", "wide-t001", f"{name}-scored"}
    assert found[f"{name}-scored"] == found[name] == best
    assert not backups(learner / paths.BACKUPS)

    monkeypatch.chdir(learner)
    tuning = Tuning(learner, "wide", check(learner, "wide", pool=False), Here(learner))
    heard: list[str] = []
    assert trials(study_of(tuning, parsed, heard.append), parsed) == []
    (learner / "parts" / "rule.py").write_text(RULE)
    anew = study_of(tuning, parsed, heard.append)
    assert heard == ["all trials are run again: the code has changed since they were made (parts/rule.py)"]
    assert trials(anew, parsed) == [None, None, None]
    assert [propose(anew.ask(), parsed) for _ in known] == [
        {**one.params, "train.optimizer": ["adam", "sgd"][one.params["train.optimizer"]]} for one in known
    ]
    assert not finished(learner, "wide")


def test_a_sweep_that_only_compares_looks_at_no_test_face(learner, server: Server):
    sweep(learner, "blind", score="none", runs=listed({"a": (0.2, 1), "b": (0.3, 1)}))
    status, said = tuned(learner, "blind")
    assert status == 0, said
    assert "None of them looked at the test faces." in said
    assert set(accuracies(learner, "blind")) == {"blind-a", "blind-b"}


def test_without_a_server_a_sweep_brings_its_own_which_ends_with_it_however_it_ends(learner, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    sweep(learner, "alone", score="none", runs=listed({"a": (0.2, 1), "long": (0.3, 500)}))
    process = start(learner, *TUNE, "alone")
    until(lambda: "alone-a" in experiments(learner) and list(learner.glob(".backup/*/state")), 180)
    assert len(servers(learner)) == 1  # the runs share it
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert "the run brings its own" in said
    until(lambda: gone(learner), 30)


def test_runs_at_once_have_cores_of_their_own_and_a_run_that_takes_all_waits_for_them(learner, server: Server):
    if len(cores()) < 2:
        pytest.skip("one core can't be shared out")
    sweep(learner, "abreast", score="none", runs=listed({"a": (0.2, 500), "b": (0.3, 500)}))
    sharing = start(learner, *TUNE, "abreast", "--at-once", "2")
    places = [learner / ".dvc/tmp/places" / f"abreast-{name}" for name in "ab"]
    until(lambda: all(stages(place) for place in places), 120)
    whole = start(learner, "python", "-m", "flows.train", "--until", "train", "--experiment", "whole")
    until(lambda: "waiting: another training or evaluation on this machine is still at work" in server.log("whole"), 60)
    held = [stages(place)[0].cpu_affinity() or [] for place in places]
    assert not set(held[0]) & set(held[1])
    assert [len(share) for share in held] == [len(cores()) // 2] * 2
    sharing.terminate()
    sharing.communicate(timeout=60)
    assert whole.communicate(timeout=120)[0]
    assert whole.returncode == 0
    assert "whole" in experiments(learner)
    until(lambda: gone(learner), 30)


def test_of_several_seeds_the_best_mean_is_chosen():
    runs = [Planned(f"{group}-s{seed}", {}, group, ()) for group in "ab" for seed in (1, 2)]
    scores = {"a-s1": 0.70, "a-s2": 0.60, "b-s1": 0.66, "b-s2": 0.67}
    assert best_of(runs, scores) == runs[3]
    assert best_of(runs, {"a-s1": 0.70}) == runs[0]
    assert best_of(runs, {}) is None
