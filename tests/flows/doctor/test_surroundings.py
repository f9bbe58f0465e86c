"""Git, DVC, data and servers, and what may ail them."""

import fcntl
import json
import os
import shutil
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest
from packaging.version import Version
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.data import pull
from flows.doctor import services, workspace
from flows.doctor.check import Check, Need
from flows.leash import Leash
from flows.runs import refuse
from flows.tune import check
from tasks.common.errors import UserError
from tests.workspaces import run, start

AUTO = Need("auto")


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def set_remote(url: str, **options: str) -> None:
    """Set DVC's default remote, its options in the local configuration."""
    Path(".dvc/config").write_text(f"[core]\nremote = store\n['remote \"store\"']\nurl = {url}\n")
    lines = [f"{name} = {value}\n" for name, value in options.items()]
    Path(".dvc/config.local").write_text("['remote \"store\"']\n" + "".join(lines))


def test_a_misspelt_parameter_fails_with_the_nearest_name(here):
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("  epochs:", "  epocs:"))
    found = workspace.params(AUTO)
    assert found.outcome == "fail"
    assert "did you mean train.epochs?" in found.found


def test_git_and_dvc_that_are_not_there_fail(here, tmp_path, monkeypatch):
    assert workspace.git(AUTO).outcome == workspace.dvc(AUTO).outcome == "pass"
    bare = tmp_path / "bare"
    bare.mkdir()
    monkeypatch.chdir(bare)
    assert "not a git repository" in workspace.git(AUTO).found
    assert workspace.dvc(AUTO).mend == "`dvc init`"
    run(bare, "git", "init", "--quiet")
    assert "does not have any commits" in workspace.git(AUTO).found


def test_a_repository_that_is_not_this_folders_or_not_trusted_is_told_where_a_run_starts_too(here, monkeypatch):
    inside = here / "inside"
    shutil.copytree(here, inside, ignore=shutil.ignore_patterns(".git", "inside"))
    begin, trust = "`git init && ", f"`git config --global --add safe.directory {inside}`"
    monkeypatch.chdir(inside)
    assert said(inside) == (f"{inside} has no git repository of its own, and lies in that of {here}", begin)
    with pytest.raises(UserError, match="has no git repository of its own"):
        check(inside, "compact", pool=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(here))
    assert said(inside)[1] == begin
    run(inside, "git", "init", "--quiet")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "safe.directory" in said(inside)[0]
    assert said(inside)[1] == trust


def said(folder: Path) -> tuple[str, str]:
    """Return what the doctor finds and how its mend begins, held against what a run says that must not begin."""
    found, refused = workspace.git(AUTO), refuse(folder, [])
    assert refused
    assert refused.message == f"{found.found}; {found.mend}"
    return found.found, (found.mend or "").removesuffix("git add --all && git commit -m start`")


def test_the_state_of_the_pinned_data(here):
    def state() -> tuple[str, str]:
        found = workspace.data(AUTO)
        return found.outcome, found.mend or ""

    assert state() == ("pass", "")
    faces = Path("data/faces.parquet")
    faces.unlink()
    faces.write_text("other faces")
    assert state()[0] == "warn"
    assert "`dvc commit data.dvc` pins this" in state()[1]
    shutil.rmtree("data")
    assert state() == ("warn", "`dvc checkout data.dvc`")
    shutil.rmtree(".dvc/cache")
    assert state()[0] == "fail"
    assert "make data" in state()[1]
    set_remote("store")
    assert state() == ("warn", "`dvc pull data.dvc` from store")
    Path("data.dvc").unlink()
    assert state()[0] == "fail"


def test_what_a_merge_left_in_the_middle_is_named_with_what_brings_it_back(here):
    lock = "schema: '2.0'\nstages: {}\n"
    Path("dvc.lock").write_text(lock)
    assert workspace.dvc(AUTO).outcome == "pass"
    for name, examination in (("dvc.lock", workspace.dvc), ("data.dvc", workspace.data)):
        file = Path(name)
        file.write_text(f"<<<<<<< HEAD\n{file.read_text()}=======\n>>>>>>> theirs\n")
        found = examination(AUTO)
        assert (found.outcome, f"unable to read: '{name}'" in found.found) == ("fail", True)
        assert found.mend == f"`git checkout HEAD {name}` brings back that of the last commit"
    sentence = r"^unable to read: 'data\.dvc', .*; `git checkout HEAD data\.dvc` brings back that of the last commit$"
    with Leash(here) as leash, pytest.raises(UserError, match=sentence):
        pull(here, leash)
    assert Path("data/faces.parquet").read_text() == "faces"


def test_a_dvc_at_work_is_named_and_what_a_killed_one_left_is_told(here):
    assert workspace.lock(AUTO).found == "free"
    Path("dvc.yaml").write_text("stages: {long: {cmd: touch began && sleep 60, outs: [began]}}")
    dvc = start(here, "dvc", "repro")
    try:
        end = time.monotonic() + 60
        while not Path("began").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        found = workspace.lock(AUTO)
        assert found.outcome == "warn"
        assert f"dvc repro` is at work in process {dvc.pid}" in found.found
    finally:
        stage = psutil.Process(dvc.pid).children(recursive=True)
        for process in (dvc, *stage):  # DVC first, lest it note the end of its stage
            process.kill()
        dvc.communicate()
    assert workspace.lock(AUTO).outcome == "pass"  # its notes remain, and DVC forgets them by itself
    notes = Path(".dvc/tmp/rwlock")
    notes.write_text(json.dumps({"write": {"/began": {"pid": os.getpid(), "cmd": "dvc repro"}}}))
    assert workspace.lock(AUTO).outcome == "warn"
    os.utime(notes, (0, 0))  # before this process began
    assert f"names process {os.getpid()}, whose number" in workspace.lock(AUTO).found
    notes.write_text('{"write": {')
    found = workspace.lock(AUTO)
    assert (found.outcome, found.mend) == ("fail", f"with no DVC at work, remove {notes.resolve()}")


def test_a_held_lock_warns(here):
    with Path(".dvc/tmp/lock").open("a") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert "is held by another DVC" in workspace.lock(AUTO).found


def test_a_prefect_that_does_not_answer_fails_with_its_url():
    port = closed_port()
    with temporary_settings({PREFECT_API_URL: f"http://someone:pa55word@127.0.0.1:{port}/api"}):
        found = services.prefect(AUTO)
    assert found.outcome == "fail"
    assert f"http://127.0.0.1:{port}/api" in found.found
    assert "pa55word" not in str(found)
    assert found.mend
    assert "prefect server start" in found.mend


class OldServer(BaseHTTPRequestHandler):
    """The two answers of a Prefect server of another major version, for those who know its password."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "Basic YWRtaW46cGFzcw=="
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b'"2.20.1"' if self.path == "/api/admin/version" else b"true")


def test_a_prefect_of_another_version_is_told():
    with ThreadingHTTPServer(("127.0.0.1", 0), OldServer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            refused = services.prefect(AUTO)
            with temporary_settings({PREFECT_API_AUTH_STRING: "admin:pass"}):
                found = services.prefect(AUTO)
        server.shutdown()
    assert "401" in refused.found
    assert found.outcome == "fail"
    assert found.found.startswith(f"{url} has version 2.20.1")
    judged = [services.versions("it", Version(v), Version("3.9.1")) for v in ("3.9.1", "3.1", "4.0")]
    assert [check.outcome for check in judged] == ["pass", "warn", "fail"]


def test_a_remote_that_can_not_be_reached_fails_and_shows_no_secret(here, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url = f"http://127.0.0.1:{closed_port()}"
    secrets = {"access_key_id": "AKIAOPENSESAME", "secret_access_key": "sesame/open"}
    set_remote("s3://bucket/faces", endpointurl=url, **secrets)
    began = time.monotonic()
    found = services.remote(AUTO)
    assert time.monotonic() - began < services.REMOTE_SECONDS + 5
    assert found.outcome == "fail"
    assert url in found.found or "no answer within" in found.found
    assert found.mend
    assert "store (s3://bucket/faces)" in found.mend
    assert not [secret for secret in secrets.values() if secret in f"{found}"]


def test_a_folder_as_a_remote(here, tmp_path):
    assert services.remote(AUTO) == Check("DVC's remote", "pass", "none set")
    set_remote(f"{tmp_path}/no/such/folder")
    found = services.remote(AUTO)
    assert found.outcome == "fail"
    assert f"{tmp_path}/no/such/folder" in found.found
    set_remote(f"{tmp_path}/store")
    assert services.remote(AUTO).outcome == "warn"
    (tmp_path / "store").mkdir()
    assert services.remote(AUTO).outcome == "pass"


def test_what_opens_a_door_is_not_shown():
    url = "https://someone:p@ss@store.example:8443/faces?token=s3same"
    assert services.address(url) == "https://store.example:8443/faces"
    assert services.address("/mnt/store") == "/mnt/store"
    options = {"url": url, "password": "letmein", "user": "someone", "jobs": 4}
    said = services.hide(f"GET {url} failed for letmein; see ssh://me:word@host/path, 4 tries", options)
    assert said == "GET https://store.example:8443/faces failed for ***; see ssh://host/path, 4 tries"
