"""What a run leaves beside its experiment: a message, a data version, a baseline."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.common import paths
from tasks.common.files import sha256
from tasks.common.tables import read_faces, write_faces
from tests.flows.conftest import Server, exps
from tests.workspaces import change, commit, promotable_at, run

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


@pytest.fixture
def judged(finished_workspace: Path, tmp_path: Path) -> Path:
    """A workspace with the real graph, of which DVC finds nothing changed, and whose verdict is *promote*."""
    folder = shutil.copytree(finished_workspace, tmp_path / "judged", symlinks=True)
    promotable_at(folder)
    run(folder, "dvc", "commit", "--force", "--quiet", "gate")
    commit(folder, "its hash")
    return folder


def test_what_lies_here_is_promoted_committed_and_tagged(judged):
    before = run(judged, "git", "rev-parse", "HEAD")
    (judged / "flows" / "graph.py").open("a").write("# changed\n")
    said = run(judged, "python", "-m", "flows.promote", ok=False)
    assert "flows/graph.py: changed and not committed" in said
    run(judged, "git", "checkout", "--quiet", "flows")
    assert "tagged: facial-emotion@v1.0.0" in run(judged, "python", "-m", "flows.promote")
    assert run(judged, "git", "rev-parse", "HEAD^") == before
    assert run(judged, "git", "rev-parse", "facial-emotion@v1.0.0^{}") == run(judged, "git", "rev-parse", "HEAD")
    held = run(judged, "git", "ls-tree", "--name-only", "HEAD", "baseline/").split()
    assert {"baseline/v1.json", "baseline/v1.parquet"} <= set(held)

    said = run(judged, "python", "-m", "flows.promote", "wider", ok=False)  # now v1 is the one to beat
    assert said == "error: baseline: not as in the run that dvc.lock notes; run `dvc repro`, and promote then\n"
    said = run(judged, "python", "-m", "tasks.promote", "wider", ok=False)
    assert "it was held against no baseline, and the gate would now take v1 as baseline/ has it" in said
    run(judged, "dvc", "repro", "--quiet", "gate")
    assert json.loads((judged / paths.VERDICT).read_text())["baseline_name"] == "v1"
    said = run(judged, "python", "-m", "flows.promote", "wider", ok=False)
    assert "expected promote; nothing is promoted" in said
    assert run(judged, "git", "tag").split() == ["facial-emotion@v1.0.0"]


def test_who_commits_is_asked_before_anything_is_published_and_a_hook_that_refuses_is_heard(judged):
    names = [f"GIT_{role}_{key}" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")]
    nameless = ["env", *(word for name in names for word in ("-u", name))]
    run(judged, "git", "config", "user.useConfigOnly", "true")
    said = run(judged, *nameless, "python", "-m", "flows.promote", ok=False)
    assert said.startswith("error: git: it does not know who commits; say it with `git config user.name NAME`")
    assert not (judged / "registry").exists()

    hook = judged / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho no commits on Saturdays >&2\nexit 1\n")
    hook.chmod(0o755)
    said = run(judged, "python", "-m", "flows.promote", ok=False)
    assert "error: git commit: no commits on Saturdays; v1 is champion of the registry, but not committed" in said
    hook.unlink()
    words = said.rpartition("then ")[2]  # the sentence's own commands put it right
    add, tag = (one for one in words.split("`") if one.startswith(("git add", "git tag")))
    run(judged, *add.split())
    run(judged, "git", "commit", "--quiet", "--message", "Promote v1")
    run(judged, *tag.split(), "--message", "v1")
    assert run(judged, "git", "status", "--porcelain", "--untracked-files=no") == ""


def test_where_the_tag_alone_is_refused_the_sentence_says_so(judged):
    run(judged, "git", "config", "tag.gpgSign", "true")
    run(judged, "git", "config", "gpg.program", "/bin/false")  # a key that nobody has unlocked
    said = run(judged, "python", "-m", "flows.promote", ok=False)
    assert "error: git tag: " in said
    assert said.endswith(
        "v1 is champion of the registry, but not tagged: put that right, then "
        "`git tag --annotate facial-emotion@v1.0.0`\n"
    )
    assert run(judged, "git", "log", "-1", "--format=%s") == "Promote v1\n"
    assert run(judged, "git", "tag") == ""


def test_what_is_not_of_the_run_is_not_promoted(judged):
    params = (judged / paths.PARAMS).read_text()
    change(judged, {"train": {"epochs": 99}, "gate": {"min_accuracy": 0.0}})
    said = run(judged, "python", "-m", "flows.promote", ok=False)
    assert "params.yaml (train), params.yaml (gate): not as in the run that dvc.lock notes; run `dvc repro`" in said
    commit(judged, "others, for the next run")
    assert "params.yaml (train)" in run(judged, "python", "-m", "flows.promote", ok=False)
    (judged / paths.PARAMS).write_text(params)
    commit(judged, "those of the run")

    (judged / paths.MODEL).unlink()  # a link into DVC's cache, perhaps
    (judged / paths.MODEL).write_bytes(b"another network")
    assert f"{paths.MODEL}: not as in the run" in run(judged, "python", "-m", "flows.promote", ok=False)
    run(judged, "dvc", "checkout", "--quiet", "--force", "train")
    faces = read_faces(judged / paths.FACES)
    (judged / paths.FACES).unlink()
    write_faces(judged / paths.FACES, faces.take(np.arange(len(faces))[::-1]))
    assert f"{paths.FACES}" in run(judged, "python", "-m", "flows.promote", ok=False)
    said = run(judged, "python", "-m", "tasks.promote", "other", ok=False)
    assert "data/faces.parquet: these are not the faces that metrics/verdict.json speaks of; run `dvc repro`" in said
    assert not (judged / "registry").exists()
    assert run(judged, "git", "tag") == ""


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
