"""What breaks on real machines: on a real server, with a real worker where one is needed."""

import shutil
import time
from pathlib import Path

import psutil

from tests.flows.conftest import Server, exps, until
from tests.flows.pool import HEARTBEAT, MISSED, Worker, deploy, schedule
from tests.workspaces import change, commit, run, start

FLOW = ("python", "-m", "flows.train")


def stages(folder: Path) -> list[psutil.Process]:
    """Return the processes of stages that run in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if process.info["cwd"] == str(folder) and ("toy.py" in line or "tasks.train" in line) and "-c" not in line:
            found.append(process)
    return found


def test_a_stage_that_is_killed_is_named_and_tried_again(toy, server: Server):
    flow = start(toy, *FLOW, "-S", "train.epochs=8", "--experiment", "out-of-memory")
    (stage,) = until(lambda: stages(toy), 60)
    until(lambda: "epoch 2/8" in server.log("out-of-memory"), 20)
    stage.kill()
    flow.communicate(timeout=90)
    assert flow.returncode == 0
    task = server.task_runs("out-of-memory")["train"]
    assert (task["state_name"], task["run_count"]) == ("Completed", 2)
    said = server.log("out-of-memory")
    assert "train was ended by SIGKILL" in said
    assert "epoch 2/8" in said.partition("its last lines:")[2]


def test_notes_that_a_killed_dvc_left_half_written_stop_no_run(toy, server: Server):
    (toy / ".dvc" / "tmp" / "rwlock").write_text("")
    assert "JSON structure is corrupted" in start(toy, "dvc", "repro").communicate(timeout=60)[0]
    run(toy, *FLOW, "-S", "train.epochs=1", "--experiment", "healed")
    assert server.flow_run("healed")["state_name"] == "NotComparable"
    assert "not JSON" in server.log("healed")


def test_two_runs_in_one_workspace_wait_for_each_other(toy, server: Server):
    flows = [start(toy, *FLOW, "-S", f"train.epochs={n}", "--experiment", f"side-{n}") for n in (6, 7)]
    for flow in flows:
        said, _ = flow.communicate(timeout=120)
        assert flow.returncode == 0, said
    first, second = sorted((server.task_runs(f"side-{n}")["train"] for n in (6, 7)), key=lambda t: t["start_time"])
    assert first["end_time"] <= second["start_time"]
    assert any("waiting: another run in this workspace" in server.log(f"side-{n}") for n in (6, 7))
    assert {"side-6", "side-7"} <= set(exps(toy))


def test_the_server_goes_away_in_mid_run_and_the_run_reports_afterwards(toy, server: Server):
    flow = start(toy, *FLOW, "-S", "train.epochs=30", "--experiment", "abandoned")
    until(lambda: "epoch 2/30" in server.log("abandoned"), 60)
    server.stop()
    time.sleep(25)  # the training ends meanwhile
    assert flow.poll() is None  # it waits with its end
    server.start()
    said, _ = flow.communicate(timeout=120)
    assert flow.returncode == 0, said
    assert (toy / "outputs" / "toy.txt").read_text() == "30"
    assert server.flow_run("abandoned")["state_name"] == "NotComparable"
    assert server.task_runs("abandoned")["train"]["state_name"] == "Completed"


def test_what_an_unreachable_remote_did_not_take_a_later_push_brings_up(toy, server: Server, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    run(toy, "dvc", "remote", "add", "--quiet", "--default", "store", str(blocked / "store"))
    commit(toy, "a remote that is not there")
    quick = "import flows.runs; flows.runs.TRANSFERS = (0.1,); from flows.train import main; main()"
    run(toy, "python", "-c", quick, "-S", "train.epochs=2", "--experiment", "unpushed")
    assert server.task_runs("unpushed")["push"]["state_name"] == "Failed"
    assert server.task_runs("unpushed")["push"]["run_count"] == 2
    assert "Not pushed" in server.flow_run("unpushed")["state"]["message"]
    blocked.unlink()
    run(toy, "python", "-c", quick, "-S", "train.epochs=3", "--experiment", "pushed")
    assert server.task_runs("pushed")["push"]["state_name"] == "Completed"
    contents = {path.read_bytes() for path in (blocked / "store").rglob("*") if path.is_file()}
    assert {b"2", b"3"} <= contents


def test_a_cancelled_run_leaves_nothing_behind(toy, server: Server, workers):
    deploy(toy)
    workers.append(Worker())
    schedule(toy, "train/nightly", "unwanted", "train.epochs=500")
    until(lambda: stages(toy), 60)
    run(toy, "prefect", "flow-run", "cancel", server.flow_run("unwanted")["id"])
    until(lambda: not stages(toy), 20)
    until(lambda: server.flow_run("unwanted")["state_name"] == "Cancelled", 20)
    assert "train.epochs=500" not in (toy / "params.yaml").read_text()
    run(toy, *FLOW, "-S", "train.epochs=2", "--experiment", "wanted")
    assert server.flow_run("wanted")["state_name"] == "NotComparable"


def test_a_run_whose_machine_died_starts_again_and_goes_on_from_its_last_epoch(workspace, server: Server, workers):
    change(workspace, {"train": {"epochs": 60, "learning_rate": 0.02}})
    commit(workspace, "a long training")
    deploy(workspace)
    workers.append(Worker())
    schedule(workspace, "train/nightly", "mortal")
    until(lambda: "epoch 3/60" in server.log("mortal"), 90)
    assert stages(workspace)
    workers.pop().kill()
    until(lambda: not stages(workspace), 20)  # the leash let go
    assert list(workspace.glob(".backup/*/state.npz"))
    assert server.flow_run("mortal")["state_name"] == "Running"  # nobody could tell
    workers.append(Worker())
    until(lambda: server.flow_run("mortal")["run_count"] == 2, (MISSED + 2) * HEARTBEAT)
    until(lambda: "going on from .backup/" in server.log("mortal"), 180)
    until(lambda: server.flow_run("mortal")["state_name"] == "NotComparable", 240)
    said = server.log("mortal")
    assert "epoch 60/60" in said
    assert said.count("Running stage 'train'") == 2


def test_two_clones_on_one_machine_share_its_device_and_nothing_else(
    workspace, server: Server, workers, tmp_path, monkeypatch
):
    shutil.copytree(workspace / ".dvc" / "cache", tmp_path / "store" / "cache")
    change(workspace, {"train": {"epochs": 1, "learning_rate": 0.05}})
    commit(workspace, "short again")
    deploy(workspace, limit=2)
    run(workspace, "prefect", "work-pool", "update", "gpu", "--concurrency-limit", "2")
    monkeypatch.setenv("FACIAL_EMOTION_STORE", str(tmp_path / "store"))
    workers.append(Worker(limit=2))
    for seed in (1, 2):
        schedule(workspace, "train/clone", f"clone-{seed}", f"train.seed={seed}")
    ended = {"NotComparable"}
    until(lambda: {server.flow_run(f"clone-{seed}")["state_name"] for seed in (1, 2)} == ended, 240)
    assert any("waiting: another training or evaluation" in server.log(f"clone-{seed}") for seed in (1, 2))
    assert {"clone-1", "clone-2"} <= set(exps(workspace))
    assert run(workspace, "git", "status", "--porcelain") == ""
