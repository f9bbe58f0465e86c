"""A registry in a real S3 server's bucket, behind a proxy that does what networks and stores do; and kills."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from tasks.common.errors import UserError
from tasks.registry.champion import champion_of, check, crown, history, publish
from tasks.registry.manifest import list_files
from tasks.registry.stores import Store, open_store
from tests.tasks.ingest.stores import CREDENTIALS, Answer, Fault, free_port, hurry, proxied, refusal, s3_server
from tests.tasks.registry.test_champion import promote, version

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture
def bucket(server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The address of a registry with one version, which is champion."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server}")
    name = f"b{abs(hash(request.node.name))}"
    boto3.Session().client("s3").create_bucket(Bucket=name)
    hurry(monkeypatch)
    promote(open_store(f"s3://{name}/models"), tmp_path, "v1")
    return f"s3://{name}/models"


@contextmanager
def beyond(server: int, fault: Fault) -> Iterator[None]:
    """Put a proxy with a fault before the server, for the time of the block."""
    with proxied(server, fault) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield


def first(count: int, method: str, answer) -> Fault:
    """Return a fault of the first so many requests of a method."""
    left = [count]

    def fault(number, asked, headers, ask):
        if asked == method and left[0]:
            left[0] -= 1
            return answer(ask) if callable(answer) else answer
        return ask()

    return fault


def cut(ask) -> Answer:
    """Half of what the server answers."""
    whole = ask()
    return Answer(whole.status, {**whole.headers, "Content-Length": str(len(whole.body))}, whole.body,
                  cut=len(whole.body) // 2, reset=True)  # fmt: skip


def lost(ask) -> Answer:
    """What the server answers does not arrive, though it did what it was asked for."""
    ask()
    return Answer(200, {"Content-Length": "9"}, b"", cut=0, reset=True)


def faults(*cases):
    """Return parameters, each with its place in the table of faults."""
    return [
        pytest.param(*rest, marks=pytest.mark.fault("registry in a bucket", what), id=what) for what, *rest in cases
    ]


@pytest.mark.parametrize(
    "fault",
    faults(
        ("a file is reset in mid-body, twice", first(2, "GET", cut)),
        ("500 Internal Error, twice", first(2, "PUT", refusal(500, "InternalError"))),
        ("503 Slow Down, twice", first(2, "PUT", refusal(503, "SlowDown"))),
        ("the answer to the first write is lost", first(1, "PUT", lost)),
    ),
)
def test_what_passes_is_waited_out(bucket, server, tmp_path, fault, seen):
    with beyond(server, fault):
        promote(open_store(bucket), tmp_path, "v2")
    assert champion_of(open_store(bucket)).version == "v2"
    assert [one.version for one in history(open_store(bucket))] == ["v1", "v2"]
    seen("waited out: the promotion went through")


@pytest.mark.fault("registry in a bucket", "the answer to the write of the champion is lost")
def test_a_champion_whose_answer_is_lost_is_one_s_own(bucket, server, tmp_path, seen):
    publish(open_store(bucket), *version(tmp_path, "v2"))
    with beyond(server, first(1, "PUT", lost)):
        crown(open_store(bucket), "v2", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    assert champion_of(open_store(bucket)).version == "v2"
    assert [one.version for one in history(open_store(bucket))] == ["v1", "v2"]
    seen("the promotion went through, and nobody is told that somebody else was faster")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    faults(
        ("every file is reset in mid-body", first(99, "GET", cut), "check the network"),
        ("500 Internal Error all the time", first(99, "PUT", refusal(500, "InternalError")), "try again later"),
        ("503 Slow Down all the time", first(99, "PUT", refusal(503, "SlowDown")), "try again later"),
        ("403 Access Denied", first(99, "PUT", refusal(403, "AccessDenied")), "ask its owner for GetObject, PutObject"),
        (
            "the clock is off",
            first(99, "GET", refusal(403, "RequestTimeTooSkewed")),
            "the clock of this machine is off",
        ),
        ("another region", first(99, "GET", refusal(301, "PermanentRedirect")), "set AWS_REGION to it"),
    ),
)
def test_what_does_not_pass_is_said_and_the_champion_stays(bucket, server, tmp_path, fault, sentence, seen):
    (tmp_path / "again").mkdir()
    with beyond(server, fault), pytest.raises(UserError, match=sentence) as raised:
        promote(open_store(bucket), tmp_path, "v2")
    assert "\n" not in str(raised.value)
    assert champion_of(open_store(bucket)).version == "v1"
    promote(open_store(bucket), tmp_path / "again", "v2")
    assert champion_of(open_store(bucket)).version == "v2"
    seen(raised.value)


@pytest.mark.fault("registry in a bucket", "nothing listens at the endpoint")
def test_a_store_that_is_not_there_is_said(bucket, tmp_path, monkeypatch, seen):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"Could not connect .*; the champion is as it was") as raised:
        promote(open_store(bucket), tmp_path, "v2")
    seen(raised.value)


# For each line of input: a process that promotes one version after the other, and is killed.
KILLER = """
import itertools, os, random, signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
from tasks.common.errors import UserError
from tasks.registry.champion import crown, publish
from tasks.registry.manifest import list_files
from tasks.registry.stores import open_store
for line in sys.stdin:
    name = line.strip()
    child = os.fork()
    if not child:
        store, made = open_store(sys.argv[1]), Path(sys.argv[2], name)
        publish(store, made, list_files(name, "abc123", made))
        for back in itertools.cycle([name, "v1"]):
            crown(store, back, kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    time.sleep(random.uniform(0, float(sys.argv[3])))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(flush=True)
"""


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("folder", marks=pytest.mark.fault("registry in a folder", "killed at any moment of a promotion")),
        pytest.param("bucket", marks=pytest.mark.fault("registry in a bucket", "killed at any moment of a promotion")),
    ],
)
def test_a_kill_at_any_moment_leaves_a_whole_champion_and_the_next_promotion_succeeds(bucket, tmp_path, place, seen):
    address = str(tmp_path / "registry") if place == "folder" else bucket
    if place == "folder":
        (tmp_path / "first").mkdir()
        promote(open_store(address), tmp_path / "first", "v1")
    rounds, longest = 8, 0.05 if place == "folder" else 0.8
    for n in range(2, 2 + rounds):
        version(tmp_path, f"v{n}")
    command = [sys.executable, "-c", KILLER, address, str(tmp_path), str(longest)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        for n in range(2, 2 + rounds):
            print(f"v{n}", file=killer.stdin, flush=True)
            assert killer.stdout.readline() == "\n"
            store = open_store(address)
            whole(store)
        killer.stdin.close()
    store, last = open_store(address), f"v{1 + rounds}"
    made = tmp_path / last
    publish(store, made, list_files(last, "abc123", made))
    if champion_of(store).version != last:
        crown(store, last, kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    whole(store)
    assert champion_of(store).version == last
    seen(f"{rounds} kills: each left one champion with all of its files; the next promotion completed what was there")


def whole(store: Store) -> None:
    """Check the champion's files, and that the history is of a piece but for at most its last entry."""
    champion = champion_of(store)
    assert champion
    check(store, champion.version)
    told = [one.number for one in history(store)]
    assert told == list(range(1, len(told) + 1))
    assert champion.number - len(told) in (0, 1)
