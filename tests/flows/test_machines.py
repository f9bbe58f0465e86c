"""What breaks on real machines, where workers run the flows of a real server."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.flows.conftest import TOY, Server, exps, stages, until
from tests.flows.pool import HEARTBEAT, MISSED, Worker, deploy, schedule
from tests.workspaces import commit, run


def test_systemd_understands_the_unit_of_the_worker(tmp_path: Path, monkeypatch):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    unit = (ROOT / "docs" / "facial-emotion-worker.service").read_text()
    (tmp_path / "worker.service").write_text(unit.replace("%h/facial-emotion\n", f"{ROOT}\n"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where no user is logged in
    assert run(tmp_path, "systemd-analyze", "verify", "--user", "./worker.service") == ""


def test_no_run_holds_a_slot_that_a_restarted_server_has_forgotten():
    # Prefect ends such a run when its lease is to be renewed, minutes later: too long to wait for here.
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert [one["name"] for one in deployments if "concurrency_limit" in one] == []


def test_a_cancelled_run_leaves_nothing_behind(toy, server: Server, workers):
    deploy(toy)
    workers.append(Worker())
    schedule(toy, "train/nightly", "unwanted", "train.epochs=500")
    until(lambda: stages(toy), 60)
    run(toy, "prefect", "flow-run", "cancel", server.flow_run("unwanted")["id"])
    until(lambda: not stages(toy), 20)
    until(lambda: server.flow_run("unwanted")["state_name"] == "Cancelled", 20)
    assert "train.epochs=500" not in (toy / "params.yaml").read_text()
    run(toy, "python", "-m", "flows.train", "-S", "train.epochs=2", "--experiment", "wanted")
    assert server.flow_run("wanted")["state_name"] == "NotComparable"


def test_a_run_whose_machine_died_starts_again_and_goes_on_from_its_last_epoch(workspace, server: Server, workers):
    deploy(workspace)
    workers.append(Worker())
    schedule(workspace, "train/nightly", "mortal", "train.epochs=25", "train.learning_rate=0.02", until="train")
    until(lambda: list(workspace.glob(".backup/*/state.npz")), 90)
    assert stages(workspace)
    workers.pop().kill()
    until(lambda: not stages(workspace), 20)  # the leash let go
    assert list(workspace.glob(".backup/*/state.npz"))
    assert server.flow_run("mortal")["state_name"] == "Running"  # nobody could tell
    workers.append(Worker())
    until(lambda: server.flow_run("mortal")["run_count"] == 2, (MISSED + 2) * HEARTBEAT)
    until(lambda: "going on from .backup/" in server.log("mortal"), 180)
    until(lambda: server.flow_run("mortal")["state_name"] == "Completed", 240)
    said = server.log("mortal")
    assert "epoch 25/25" in said
    assert said.count("Running stage 'train'") == 2


def test_two_clones_on_one_machine_share_its_device_and_nothing_else(
    toy, server: Server, workers, tmp_path, monkeypatch
):
    shutil.copytree(toy / ".dvc" / "cache", tmp_path / "store" / "cache")
    free = tmp_path / "free"  # until that is there, whoever has the device keeps it
    (toy / "toy.py").write_text(f"{TOY}while not os.path.exists({str(free)!r}):\n    time.sleep(0.1)\n")
    commit(toy, "as long as it takes")
    deploy(toy, limit=2)
    monkeypatch.setenv("FACIAL_EMOTION_STORE", str(tmp_path / "store"))
    workers.append(Worker(limit=2))
    names = [f"clone-{epochs}" for epochs in (2, 3)]
    for name in names:
        schedule(toy, "train/clone", name, f"train.epochs={name[-1]}", until="train")
    until(lambda: any("waiting: another training or evaluation" in server.log(name) for name in names), 240)
    free.touch()
    until(lambda: {server.flow_run(name)["state_name"] for name in names} == {"Completed"}, 240)
    assert set(names) <= set(exps(toy))
    assert run(toy, "git", "status", "--porcelain") == ""
