"""What breaks on real machines, in one run: on a real server."""

import re
import shutil
import time
from datetime import datetime

import pytest

from flows.experiment import UNPUSHED
from tests.flows.conftest import Server, exps, stages, until
from tests.workspaces import commit, run, start

FLOW = ("python", "-m", "flows.train")


HURRIED = (
    "python",
    "-c",
    "import flows.runs, flows.stage; flows.runs.TRANSFERS = (0.1,); flows.stage.RETRY_SECONDS = 1; "
    "from flows.train import main; main()",
)
"""The same with less patience between two tries."""


@pytest.mark.fault("a run", "the training is killed")
def test_a_stage_that_is_killed_is_named_and_tried_again(toy, server: Server, seen):
    flow = start(toy, *HURRIED, "-S", "train.epochs=6", "--experiment", "out-of-memory")
    (stage,) = until(lambda: stages(toy), 60)
    assert any("epoch 2/6" in line for line in flow.stdout or [])
    stage.kill()
    flow.communicate(timeout=90)
    assert flow.returncode == 0
    task = server.task_runs("out-of-memory")["train"]
    assert (task["state_name"], task["run_count"]) == ("Completed", 2)
    said = server.log("out-of-memory")
    assert "train was ended by SIGKILL" in said
    assert "epoch 2/6" in said.partition("its last lines:")[2]
    seen("named in the log, with its last lines; tried again, and the run ended well")


@pytest.mark.fault("a run", "a killed DVC left its lock half written")
def test_notes_that_a_killed_dvc_left_half_written_stop_no_run(toy, server: Server, seen):
    (toy / ".dvc" / "tmp" / "rwlock").write_text("")
    assert "JSON structure is corrupted" in start(toy, "dvc", "repro").communicate(timeout=60)[0]
    run(toy, *FLOW, "-S", "train.epochs=1", "--experiment", "healed")
    assert server.flow_run("healed")["state_name"] == "NotComparable"
    assert "not JSON" in server.log("healed")
    seen("put right, with a line in the log, where a plain `dvc repro` ends with an error")


def test_two_runs_in_one_workspace_wait_for_each_other(toy, server: Server):
    flows = [start(toy, *FLOW, "-S", f"train.epochs={n}", "--experiment", f"side-{n}") for n in (4, 5)]
    for flow in flows:
        said, _ = flow.communicate(timeout=120)
        assert flow.returncode == 0, said
    first, second = sorted((server.task_runs(f"side-{n}")["train"] for n in (4, 5)), key=lambda t: t["start_time"])
    assert first["end_time"] <= second["start_time"]
    assert any("waiting: another run in this workspace" in server.log(f"side-{n}") for n in (4, 5))
    assert {"side-4", "side-5"} <= set(exps(toy))


@pytest.mark.fault("a run", "the Prefect server goes away")
def test_the_server_goes_away_in_mid_run_and_the_run_reports_afterwards(toy, server: Server, monkeypatch, seen):
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "1")  # what fails is lost after seconds, and not after a minute
    flow = start(toy, *FLOW, "-S", "train.epochs=14", "--experiment", "abandoned")
    until(lambda: "epoch 2/14" in server.log("abandoned"), 60)
    server.stop()
    until((toy / "outputs" / "toy.txt").exists, 30)  # the training ends meanwhile
    time.sleep(3)  # longer than Prefect keeps lines to send them together
    assert flow.poll() is None  # it waits with its end
    server.start()
    said, _ = flow.communicate(timeout=120)
    assert flow.returncode == 0, said
    assert (toy / "outputs" / "toy.txt").read_text() == "14"
    assert server.flow_run("abandoned")["state_name"] == "NotComparable"
    assert server.task_runs("abandoned")["train"]["state_name"] == "Completed"
    lines = server.log("abandoned").splitlines()
    assert [lines.count(f"epoch {epoch}/14: loss 1") for epoch in range(1, 15)] == [1] * 14
    assert any("the Prefect server was away: it got" in line for line in lines)
    heard = dict(re.findall(r"^(\S+) .*?epoch (\d+)/14", server.story("abandoned"), re.MULTILINE))
    times = [datetime.fromisoformat(when) for when in heard]
    assert (max(times) - min(times)).total_seconds() < 20  # seven, if nothing waits for the server
    seen("the training goes on; state and log come to the server when it is back")


@pytest.mark.fault("a run", "DVC's remote can't be reached")
def test_what_an_unreachable_remote_did_not_take_a_later_push_brings_up(toy, server: Server, tmp_path, seen):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    run(toy, "dvc", "remote", "add", "--quiet", "--default", "store", str(blocked / "store"))
    commit(toy, "a remote that is not there")
    run(toy, *HURRIED, "-S", "train.epochs=2", "--experiment", "unpushed")
    assert server.task_runs("unpushed")["push"]["state_name"] == "Failed"
    assert server.task_runs("unpushed")["push"]["run_count"] == 2
    assert "Not pushed" in server.flow_run("unpushed")["state"]["message"]
    blocked.unlink()
    (toy / UNPUSHED / "removed").touch()  # with `dvc exp remove`, before a push went through
    run(toy, *HURRIED, "-S", "train.epochs=3", "--experiment", "pushed")
    assert not list((toy / UNPUSHED).iterdir())
    assert server.task_runs("pushed")["push"]["state_name"] == "Completed"
    contents = {path.read_bytes() for path in (blocked / "store").rglob("*") if path.is_file()}
    assert {b"2", b"3"} <= contents
    seen("the run ends as *Not pushed*; the next one brings up both")


def test_a_remote_that_never_had_what_is_pinned_is_as_good_as_none(toy, server: Server, tmp_path):
    run(toy, "python", "-m", "tasks.ingest", "sample")
    pin = (toy / "data.dvc").read_bytes()
    commit(toy, "the sample")
    for folder in ("data", ".dvc/cache/files"):
        shutil.rmtree(toy / folder)
    (tmp_path / "store").mkdir()
    run(toy, "dvc", "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    run(toy, *HURRIED, "--until", "prepare", "--experiment", "drawn")
    pull = server.task_runs("drawn")["pull"]
    assert (pull["state"]["message"], pull["run_count"]) == ("the sample, drawn", 1)
    assert (toy / "data.dvc").read_bytes() == pin
