"""A DVC remote set up by one command: a real S3 server, and a shared folder."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from flows.remote import lost
from tasks.common import paths
from tasks.common.tables import read_faces
from tests.flows.conftest import Server
from tests.tasks.ingest.stores import CREDENTIALS, free_port, s3_server
from tests.workspaces import commit, promotable_at, run, start


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def workspace(finished_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one run, and credentials in the environment."""
    for name, value in {**CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    return shutil.copytree(finished_workspace, tmp_path / "here", symlinks=True)


def set_remote(workspace: Path, *words: str, ok: bool = True) -> str:
    return run(workspace, "python", "-m", "flows.remote", *words, ok=ok)


def test_a_fresh_clone_on_another_machine_gets_all_and_runs_nothing_again(workspace, endpoint, tmp_path):
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="team")
    said = set_remote(workspace, "s3://team/fer", "--endpoint", endpoint)
    assert "pushed, pulled into a fresh clone, and equal" in said
    assert run(workspace, "git", "status", "--porcelain").split() == ["M", ".dvc/config"]
    assert "planted-secret" not in (workspace / ".dvc" / "config").read_text()
    commit(workspace, "a remote")
    run(tmp_path, "git", "clone", "--quiet", str(workspace), "other")
    run(tmp_path / "other", "dvc", "pull", "--quiet")
    said = run(tmp_path / "other", "dvc", "repro")
    assert "Running stage" not in said
    assert "Data and pipelines are up to date" in said


@pytest.mark.fault("make remote", "killed while it pushes")
def test_a_kill_leaves_no_address_that_was_not_proved(workspace, tmp_path, seen):
    before = (workspace / ".dvc" / "config").read_bytes()
    proving = start(workspace, "python", "-m", "flows.remote", str(tmp_path / "shared"))
    deadline = time.monotonic() + 60
    while not (tmp_path / "shared").exists():
        assert proving.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    proving.kill()
    proving.communicate()
    assert (workspace / ".dvc" / "config").read_bytes() == before
    assert "and equal" in set_remote(workspace, str(tmp_path / "shared"))
    seen(".dvc/config as it was; the same command goes on with what is missing")


def test_a_shared_folder_is_a_remote(workspace, tmp_path):
    assert "and equal" in set_remote(workspace, str(tmp_path / "shared"))
    assert (tmp_path / "shared" / "files").is_dir()


def test_a_remote_can_be_set_while_a_stage_waits_to_be_run_again(workspace, tmp_path):
    """As the gate does after a promotion, whose baseline it has not seen."""
    shutil.copy(workspace / "baseline" / "capstone.json", workspace / "baseline" / "next.json")
    assert "modified:           baseline" in run(workspace, "dvc", "status")
    assert "and equal" in set_remote(workspace, str(tmp_path / "shared"))


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ({}, []),
        ({"gate": [{"changed deps": {"baseline": "modified"}}]}, []),
        ({"train": [{"changed outs": {"outputs/model.keras": "deleted"}}, "always changed"]}, ["outputs/model.keras"]),
    ],
)
def test_what_did_not_come_back_as_it_was_is_named(status, named):
    assert lost(status) == named


def left_behind(workspace: Path, server: Server, store: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    """Yield all that a run leaves: files, what git holds, what the Prefect server keeps, what lies in the bucket."""
    for folder in (workspace, server.home):
        yield from ((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    objects = ["git", "cat-file", "--batch", "--batch-all-objects"]
    yield "git", subprocess.run(objects, cwd=workspace, capture_output=True, check=True).stdout
    for one in store.list_objects_v2(Bucket=bucket)["Contents"]:
        yield one["Key"], store.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()


def test_a_secret_stands_nowhere_in_what_a_whole_run_leaves(workspace, endpoint, server: Server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("FACIAL_EMOTION_REGISTRY", "s3://kept/models")
    store = boto3.client("s3")
    store.create_bucket(Bucket="kept")
    faces = read_faces(workspace / paths.FACES)
    rows = zip(faces.emotion, faces.pixels, faces.usage, strict=True)
    lines = [f"{emotion},{' '.join(map(str, face.ravel()))},{usage}" for emotion, face, usage in rows]
    store.put_object(Bucket="kept", Key="fer2013.csv", Body="\n".join(["emotion,pixels,Usage", *lines]).encode())
    set_remote(workspace, "s3://kept/fer", "--endpoint", endpoint)
    commit(workspace, "a remote")
    run(workspace, "python", "-m", "flows.train", "--source", "s3://kept/fer2013.csv", "--experiment", "planted")
    assert server.flow_run("planted")["state_name"] in ("Completed", "NotComparable")
    promotable_at(workspace)
    assert "champion of s3://kept/models" in run(workspace, "python", "-m", "tasks.promote", "planted")
    left = dict(left_behind(workspace, server, store, "kept"))
    names = "\n".join(left)
    for expected in ("provenance.json", "report.html", "dvc.lock", "prefect.db", "fer/files/", "models/champion.json"):
        assert expected in names, expected
    assert any(b"s3://kept/fer2013.csv" in content for content in left.values())
    assert not [name for name, content in left.items() if b"planted-secret" in content]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ("s3://nobody/fer", "--endpoint", "HERE"),
            "bucket",
            id="no bucket",
            marks=pytest.mark.fault("make remote", "there is no such bucket"),
        ),
        pytest.param(
            ("s3://team/fer", "--endpoint", f"http://127.0.0.1:{free_port()}"),
            "connect",
            id="no server",
            marks=pytest.mark.fault("make remote", "nothing listens at the endpoint"),
        ),
        (("s3://team/fer", "--endpoint", "localhost"), "expected an address, as in http://127.0.0.1:9000"),
        (("s3://key:secret@team/fer",), "the address holds credentials"),
        (("s3://key:sec/ret@team/fer",), "the address holds credentials"),
        (("nonsense://team/fer",), "Unsupported URL type nonsense://; expected s3://bucket/prefix or a folder"),
        (("~nosuchuser/store",), "~nosuchuser/store: there is no such user here; give the folder's whole path"),
        (("s3://[bad/fer",), "the address can't be read; expected s3://bucket/prefix or a folder"),
        (("s3://team/fer", "--endpoint", "http://[bad"), "the address can't be read"),
        (("s3://team/fer", "--endpoint", "http://key:secret@127.0.0.1"), "the address holds credentials"),
    ],
)
def test_a_remote_that_does_not_work_is_not_set(workspace, endpoint, words, sentence, seen):
    before = (workspace / ".dvc" / "config").read_bytes()
    said = set_remote(workspace, *(endpoint if word == "HERE" else word for word in words), ok=False)
    assert said.splitlines()[-1].startswith("error: ")
    assert sentence in said.splitlines()[-1]
    seen(said.splitlines()[-1])
    assert (workspace / ".dvc" / "config").read_bytes() == before
