"""What a run leaves beside its experiment: a message, a data version, a baseline."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.common import paths
from tasks.common.files import sha256
from tests.flows.conftest import Server, exps
from tests.workspaces import promotable_at, run

FLOW = ("python", "-m", "flows.train")


def test_how_a_run_ended_is_told_where_an_address_is_set(toy, server: Server, messages, monkeypatch):
    port, came = messages
    monkeypatch.setenv("FACIAL_EMOTION_NOTIFY", f"json://user:hidden-token@127.0.0.1:{port}/")
    said = run(toy, *FLOW, "-S", "train.epochs=1", "--experiment", "told")
    assert [message["title"] for message in came] == ["train: told ended as NotComparable"]
    assert "hidden-token" not in said + server.log("told")
    said = run(toy, *FLOW, "-S", "train.epochs=none", "--experiment", "told-too", ok=False)
    assert "told-too ended as Refused" in came[-1]["title"]
    assert "train.epochs" in came[-1]["message"]
    monkeypatch.setenv("FACIAL_EMOTION_NOTIFY", "slack://hidden-token")  # no address of Slack's
    said = run(toy, *FLOW, "-S", "train.epochs=none", "--experiment", "untold", ok=False)
    assert "the message could not be sent" in said
    assert "hidden-token" not in said + server.log("untold")


def test_a_new_data_version_is_an_experiment_to_apply(toy, server: Server, tmp_path):
    random = np.random.default_rng(0)
    usages = ("Training", "PublicTest", "PrivateTest")
    faces = [" ".join(map(str, random.integers(0, 256, 2304))) for _ in range(42)]
    lines = [f"{i % 7},{face},{usages[i % 3]}" for i, face in enumerate(faces)]
    source = tmp_path / "fer2013.csv"
    source.write_text("emotion,pixels,Usage\n" + "\n".join(lines) + "\n")
    pinned = run(toy, "git", "show", "HEAD:data.dvc")
    run(toy, "python", "-m", "flows.ingest", str(source), "--experiment", "more-faces")
    assert server.flow_run("more-faces")["state_name"] == "Completed"
    assert "more-faces" in exps(toy)
    assert run(toy, "git", "show", "HEAD:data.dvc") == pinned
    assert (toy / "data.dvc").read_text() != pinned
    more = tmp_path / "more.csv"
    more.write_text(source.read_text().replace("0,", "1,", 1))
    options = ("-I", f"add={more}", "-I", "side=32")
    run(toy, "python", "-m", "flows.ingest", str(source), *options, "--experiment", "both")
    known = json.loads((toy / paths.PROVENANCE).read_text())
    assert [part["source"] for part in known["parts"]] == ["fer2013.csv", "more.csv"]
    assert known["rows"] == 84
    for wrong, sentence in (("--side=32", "without its dashes"), ("no-pin", "no-pin"), ("sides=32", "--sides=32")):
        unknown = (f"--ingest-option={wrong}", "--experiment", "nothing")
        assert sentence in run(toy, "python", "-m", "flows.ingest", str(source), *unknown, ok=False)
    assert "without a source" in run(toy, *FLOW, "-I", "side=32", ok=False)
    missing = str(tmp_path / "nothing.csv")
    said = run(toy, "python", "-m", "flows.ingest", missing, "--experiment", "nothing", ok=False)
    assert "nothing.csv" in said
    assert server.task_runs("nothing")["ingest"]["run_count"] == 1  # bad data stays bad


@pytest.fixture
def promotable(toy: Path) -> Path:
    """A workspace whose verdict is *promote*."""
    promotable_at(toy)
    return toy


def test_a_promoted_network_is_a_baseline_in_the_experiment(promotable, server: Server):
    run(promotable, *FLOW, "--promote", "--experiment", "better")
    assert server.flow_run("better")["state_name"] == "Completed"
    assert server.task_runs("better")["promote"]["state_name"] == "Completed"
    record = json.loads((promotable / paths.BASELINES / "better.json").read_text())
    assert record["predictions_sha256"] == sha256(promotable / paths.BASELINES / "better.parquet")
    ref = run(promotable, "git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/better").strip()
    held = run(promotable, "git", "ls-tree", "-r", "--name-only", ref).split()
    assert {"baseline/better.json", "baseline/better.parquet"} <= set(held)


def test_what_lies_here_is_promoted_committed_and_tagged(promotable):
    before = run(promotable, "git", "rev-parse", "HEAD")
    (promotable / "flows" / "graph.py").open("a").write("# changed\n")
    said = run(promotable, "python", "-m", "flows.promote", ok=False)
    assert "flows/graph.py: changed and not committed" in said
    run(promotable, "git", "checkout", "--quiet", "flows")
    assert "tagged: facial-emotion@v1.0.0" in run(promotable, "python", "-m", "flows.promote")
    assert run(promotable, "git", "rev-parse", "HEAD^") == before
    assert run(promotable, "git", "rev-parse", "facial-emotion@v1.0.0^{}") == run(
        promotable, "git", "rev-parse", "HEAD"
    )
    held = run(promotable, "git", "ls-tree", "--name-only", "HEAD", "baseline/").split()
    assert {"baseline/v1.json", "baseline/v1.parquet"} <= set(held)
    assert "tagged: facial-emotion@v2.0.0" in run(promotable, "python", "-m", "flows.promote", "wider")
    (promotable / paths.MODEL).write_bytes(b"another network")
    assert "it is not what metrics/verdict.json judged" in run(promotable, "python", "-m", "flows.promote", ok=False)
    assert len(run(promotable, "git", "tag").split()) == 2


def test_without_the_wish_or_the_verdict_nothing_is_promoted(promotable, server: Server):
    run(promotable, *FLOW, "--experiment", "modest")
    assert "promote" not in server.task_runs("modest")
    (promotable / paths.MODEL).write_bytes(b"another network")
    said = run(promotable, "python", "-m", "tasks.promote", "other", ok=False)
    assert "it is not what metrics/verdict.json judged" in said
    run(promotable, "git", "checkout", "--quiet", "HEAD~1", "--", "metrics")
    said = run(promotable, "python", "-m", "tasks.promote", "other", ok=False)
    assert "the verdict is not comparable, expected promote" in said
    assert not (promotable / paths.BASELINES / "other.json").exists()


def test_data_that_is_nowhere_is_asked_for_and_what_lies_there_is_left_alone(toy, server: Server):
    pin = (toy / "data.dvc").read_bytes()
    faces = b"the only copy of somebody's work"
    (toy / paths.FACES).unlink()
    (toy / paths.FACES).write_bytes(faces)
    shutil.rmtree(toy / ".dvc" / "cache" / "files")
    said = run(toy, *FLOW, ok=False)
    assert "data/: it is not what data.dvc pins" in said
    assert (toy / paths.FACES).read_bytes() == faces
    shutil.rmtree(toy / "data")
    said = run(toy, *FLOW, ok=False)  # the sample is drawn, and is other data
    assert "data.dvc: it pins data that is neither here nor in a remote" in said
    assert (toy / "data.dvc").read_bytes() == pin
    assert not (toy / "data").exists()
