"""The train flow on a real server, over the real graph with few faces."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from flows.artifacts import reports_page
from flows.deploy import repository
from flows.experiment import origin as address_of_origin
from flows.graph import read_graph
from flows.train import end_of, unpushed
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.gate.verdict import Decision, Verdict
from tests.flows.conftest import Server, exps, servers, until
from tests.workspaces import change, commit, environment, run, start

FLOW = ("python", "-m", "flows.train")


@pytest.fixture(scope="module")
def origin(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare git repository and a DVC remote, set as those of the workspace."""
    folder = tmp_path_factory.mktemp("origin")
    run(workspace, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder / "git"))
    run(workspace, "git", "remote", "add", "origin", str(folder / "git"))
    run(workspace, "dvc", "remote", "add", "--quiet", "--default", "store", str(folder / "store"))
    commit(workspace, "remotes")
    run(workspace, "git", "push", "--quiet", "origin", "main")
    return folder


def test_the_graph_is_dvcs_own(workspace):
    said = run(workspace, "dvc", "stage", "list", "--name-only").split()
    stages = read_graph(workspace)
    assert sorted(stage.name for stage in stages) == sorted(said)
    declared = yaml.safe_load((workspace / "dvc.yaml").read_text())["stages"]
    made: set[str] = set()
    outputs = {
        stage: {
            str(o) if isinstance(o, str) else next(iter(o))
            for kind in ("outs", "metrics")
            for o in declared[stage].get(kind, [])
        }
        for stage in declared
    }
    everything = set().union(*outputs.values())
    for stage in stages:
        assert set(declared[stage.name]["deps"]) & everything <= made, f"{stage.name} comes too early"
        made |= outputs[stage.name]
        assert stage.description == declared[stage.name]["desc"]
    assert [stage.name for stage in stages if stage.device] == ["train", "evaluate"]


def test_a_run_is_a_tracked_experiment_and_shows_what_came_of_it(workspace, origin, server: Server):
    head = run(workspace, "git", "rev-parse", "HEAD")
    before = (workspace / "params.yaml").read_bytes()
    run(workspace, *FLOW, "-S", "train.epochs=2", "--experiment", "two-epochs")

    assert server.flow_run("two-epochs")["state_name"] == "NotComparable"  # few faces are no baseline's data
    states = {name: task["state_name"] for name, task in server.task_runs("two-epochs").items()}
    assert states == {
        "pull": "Unchanged", "validate": "Unchanged", "split": "Unchanged", "train": "Completed",
        "evaluate": "Completed", "gate": "Completed", "show": "Completed", "save": "Completed", "push": "Completed",
    }  # fmt: skip
    assert "epoch 2/2: loss" in server.log("two-epochs")
    artifacts = server.artifacts("two-epochs")
    assert artifacts["train-progress"]["data"] == 100
    assert {"scores", "classification-report", "verdict", "confusion", "curves", "report-page"} <= set(artifacts)
    scores = json.loads((workspace / paths.SCORES).read_text())
    assert f"{scores['accuracy']:.3f}" in artifacts["scores"]["data"]
    assert artifacts["confusion"]["data"].startswith("data:image/svg+xml;base64,")

    assert exps(workspace)["two-epochs"]["params"]["params.yaml"]["data"]["train"]["epochs"] == 2
    assert (workspace / "params.yaml").read_bytes() == before
    assert run(workspace, "git", "rev-parse", "HEAD") == head
    assert run(workspace, "git", "ls-remote", str(origin / "git"), "refs/heads/*").split()[0] == head.strip()


def test_on_another_machine_the_experiment_needs_nothing_run_again(workspace, origin, server: Server, tmp_path):
    clone = tmp_path / "clone"
    run(workspace, "git", "clone", "--quiet", str(origin / "git"), str(clone))
    page = server.artifacts("two-epochs")["reports"]["data"]
    gets, whole = [block.strip().splitlines() for block in re.findall(r"```console\n(.+?)```", page, re.DOTALL)]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for command in gets:  # no clone is needed
        run(elsewhere, *shlex.split(command))
    assert {path.name for path in elsewhere.iterdir()} == {"report.html", "validation.html"}
    for command in whole:
        run(clone, *shlex.split(command))
    for name in ("report.html", "validation.html"):
        assert (clone / "reports" / name).read_bytes() == (elsewhere / name).read_bytes()
    run(clone, "dvc", "pull")
    assert "Running stage" not in run(clone, "dvc", "repro")


def test_where_nothing_is_shared_the_page_of_reports_says_so_and_shows_no_password(toy):
    assert address_of_origin(toy) is None
    assert "stay on the machine" in reports_page("alone", None)
    run(toy, "git", "remote", "add", "origin", "https://someone:pa55word@example.org:8443/faces.git")
    assert address_of_origin(toy) == "https://example.org:8443/faces.git"
    run(toy, "git", "remote", "set-url", "origin", "https://ghp_t0ken@example.org/faces.git")
    assert address_of_origin(toy) == "https://example.org/faces.git"
    with pytest.raises(UserError, match="has a password or a token in it") as refused:
        repository(toy)
    assert "t0ken" not in str(refused.value)
    for plain in ("git@example.org:faces.git", "ssh://git@example.org/faces.git"):
        run(toy, "git", "remote", "set-url", "origin", plain)
        assert address_of_origin(toy) == repository(toy) == plain


def test_an_equal_run_is_taken_from_the_cache_and_a_second_one_finds_nothing_to_do(workspace, origin, server: Server):
    run(workspace, *FLOW, "--experiment", "again")
    states = {name: server.task_runs("again")[name]["state_name"] for name in ("train", "evaluate")}
    assert states == {"train": "Restored", "evaluate": "Restored"}
    run(workspace, *FLOW, "--experiment", "and-again")
    stages = [stage.name for stage in read_graph(workspace)]
    assert {server.task_runs("and-again")[name]["state_name"] for name in stages} == {"Unchanged"}


def test_what_must_not_begin_ends_before_the_first_stage(workspace, origin, server: Server):
    said = run(workspace, *FLOW, "-S", "train.epohcs=3", "--experiment", "mistyped", ok=False)
    assert "did you mean train.epochs?" in said
    assert server.flow_run("mistyped")["state_name"] == "Refused"
    assert server.task_runs("mistyped") == {}
    said = run(workspace, *FLOW, "--experiment", "again", ok=False)
    assert "again is there already" in said


def test_a_stage_added_to_the_graph_is_a_task_more(workspace, origin, server: Server):
    kept = (workspace / "dvc.yaml").read_text()
    stages = yaml.safe_load(kept)
    stages["stages"]["greet"] = {"cmd": "echo hello", "deps": ["metrics/verdict.json"], "desc": "Say hello"}
    (workspace / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    run(workspace, *FLOW, "--experiment", "greeted")
    (workspace / "dvc.yaml").write_text(kept)
    task = server.task_runs("greeted")["greet"]
    assert task["state_name"] == "Completed"
    assert "hello" in server.log("greeted")
    assert task["start_time"] > server.task_runs("greeted")["gate"]["end_time"]


def test_where_no_gpu_is_a_run_that_requires_one_fails_at_once(workspace, origin, server: Server):
    said = run(workspace, *FLOW, "-S", "train.device=gpu", "--experiment", "no-gpu", ok=False)
    assert "train.device is gpu, and tensorflow sees none" in said
    task = server.task_runs("no-gpu")["train"]
    assert (task["state_name"], task["run_count"]) == ("Failed", 1)
    assert server.flow_run("no-gpu")["total_run_time"] < 60
    assert "evaluate" not in server.task_runs("no-gpu")


def test_bad_data_is_not_tried_again(workspace, origin, server: Server):
    change(workspace, {"validate": {"min_rows": 5000}})
    said = run(workspace, *FLOW, "--experiment", "too-few", ok=False)
    run(workspace, "git", "checkout", "--quiet", "params.yaml")
    assert said.splitlines()[-1].startswith("error: data/faces.parquet: row_count: found ")
    assert "Traceback" not in said
    task = server.task_runs("too-few")["validate"]
    assert (task["state_name"], task["run_count"]) == ("Failed", 1)


def test_without_a_server_a_run_brings_its_own_which_ends_with_it_however_it_ends(workspace, origin, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL")
    assert "the run brings its own" in run(workspace, *FLOW)
    until(lambda: not servers(workspace), 20)
    flow = start(workspace, *FLOW)
    until(lambda: servers(workspace), 20)
    flow.kill()
    flow.wait()
    until(lambda: not servers(workspace), 20)


def test_a_server_that_does_not_answer_is_named(workspace, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://someone:pa55word@127.0.0.1:9/api")
    for flow in (FLOW, ("python", "-m", "flows.ingest", "sample")):
        said = run(workspace, *flow, ok=False)
        assert said.startswith("error: PREFECT_API_URL: no Prefect server answers at 127.0.0.1:9;")
        assert "pa55word" not in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("decision", "type_", "name"),
    [
        ("promote", "COMPLETED", "Completed"),
        ("reject", "FAILED", "Rejected"),
        ("inconclusive", "FAILED", "Inconclusive"),
        ("not comparable", "COMPLETED", "NotComparable"),
    ],
)
def test_a_run_ends_as_the_gate_says_with_its_sentences(decision: Decision, type_: str, name: str):
    verdict = Verdict(
        verdict=decision, baseline_name=None, synthetic=True, reasons=("first reason", "second"), checks=(), hashes=()
    )
    state = end_of(verdict)
    assert (state.type.name, state.name, state.message) == (type_, name, "first reason\nsecond")
    late = unpushed(state)
    assert late.type is state.type
    assert late.name == ("NotPushed" if decision == "promote" else name)
    assert "Not pushed" in (late.message or "")


def test_nobody_is_needed_to_have_a_name_in_git(toy, server: Server, monkeypatch):
    for variable in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(variable, "")
    done = subprocess.run(["git", "config", "user.email"], cwd=toy, env=environment(), capture_output=True, check=False)
    assert done.returncode  # as on a bare machine
    run(toy, *FLOW, "--experiment", "nobody")
    assert "nobody" in exps(toy)


def test_a_run_without_a_verdict_has_no_status_of_one(toy):
    said = run(toy, *FLOW, "--until", "validate", "--enforce", ok=False)
    assert said.endswith(
        "error: --enforce: a run that ends before the gate has no verdict; leave out --until, or --enforce\n"
    )
