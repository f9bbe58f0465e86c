"""Sources in an object store: a real S3 server, and what goes wrong on the way to it."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.provenance import read_provenance
from tasks.common.tables import VOTES, read_faces
from tasks.ingest import download
from tasks.ingest.__main__ import ingest
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Source

from .helpers import assert_same, csv_of, images_of, some_faces
from .stores import CREDENTIALS, Answer, Fault, Proxy, free_port, hurry, proxied, refusal, s3_server

FACES = some_faces(60)
CONTENT = csv_of(FACES)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, this user's credentials, and parts that are small beside the object."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(download, "PART", 1 << 16)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    hurry(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bucket(server: int, here: Path, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own, with versions and the challenge's CSV."""
    client = direct(server)
    name = f"b{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=name, Key="fer/fer2013.csv", Body=CONTENT)
    return name


def direct(port: int):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")


@pytest.fixture
def through(server: int, monkeypatch: pytest.MonkeyPatch):
    """Return what sets a proxy with a fault before the server."""
    stack = []

    def start(fault: Fault = lambda number, method, headers, ask: ask()) -> Proxy:
        context = proxied(server, fault)
        proxy = context.__enter__()
        stack.append(context)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        return proxy

    yield start
    for context in stack:
        context.__exit__(None, None, None)


def read(bucket: str, key: str = "fer/fer2013.csv") -> Source:
    return read_source(f"s3://{bucket}/{key}", BadRows(0), Path("work"))


def test_an_object_comes_in_parts_and_only_once(bucket, through, server):
    proxy = through()
    source = read(bucket)
    assert_same(source.faces, FACES)
    assert source.name == "fer2013.csv"
    assert source.origin.url == f"s3://{bucket}/fer/fer2013.csv"
    assert source.origin.version
    spans = {span for method, span in proxy.requests if method == "GET"}
    assert len(spans) == -(-len(CONTENT) // (1 << 16)) > 5
    assert read(bucket).sha256 == source.sha256
    assert proxy.gets() == len(spans)
    # What is new in its place is fetched, and takes the place of the old one here.
    other = some_faces(60, seed=1)
    direct(server).put_object(Bucket=bucket, Key="fer/fer2013.csv", Body=csv_of(other))
    assert_same(read(bucket).faces, other)
    assert len([path for path in paths.DOWNLOADS.rglob("*") if path.is_file()]) == 1


def test_votes_may_lie_in_a_store_too(bucket, through, server):
    through()
    votes = b"Usage,Image name," + ",".join(VOTES).encode() + b"\n"
    votes += b"".join(
        f"{usage},fer{row:07}.png,{','.join('1' * len(VOTES))}\n".encode() for row, usage in enumerate(FACES.usage)
    )
    direct(server).put_object(Bucket=bucket, Key="fer/fer2013new.csv", Body=votes)
    told = ingest(f"s3://{bucket}/fer/fer2013.csv", votes=f"s3://{bucket}/fer/fer2013new.csv").votes
    assert told.source == "fer2013new.csv"
    assert told.origin.url == f"s3://{bucket}/fer/fer2013new.csv"
    assert read_provenance(paths.PROVENANCE).votes == told
    assert read_faces(paths.FACES).votes.tolist() == [[1] * len(VOTES)] * len(FACES)
    # The same from a file of this machine: the faces are the same, and nothing is said of a store.
    Path("fer2013new.csv").write_bytes(votes)
    ingest(f"s3://{bucket}/fer/fer2013.csv", votes="fer2013new.csv")
    assert "origin" not in json.loads(paths.PROVENANCE.read_text())["votes"]


def test_an_endpoints_password_is_not_said(here, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://someone:planted-secret@127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"s3://bucket/key: .*AWS_ENDPOINT_URL") as caught:
        read_source("s3://bucket/key", BadRows(0), Path("work"))
    assert "planted-secret" not in "".join(traceback.format_exception(caught.value))


def test_provenance_tells_the_object_and_no_secret(bucket, through):
    through()
    ingest(f"s3://{bucket}/fer/fer2013.csv")
    provenance = json.loads(paths.PROVENANCE.read_text())
    assert provenance["source"] == "fer2013.csv"
    assert provenance["origin"]["url"] == f"s3://{bucket}/fer/fer2013.csv"
    assert len(provenance["origin"]["etag"]) == 32
    left = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
    assert b"planted-secret" not in left


@pytest.mark.parametrize("key", ["images", "images/"])
def test_a_prefix_is_a_folder_of_images(bucket, through, server, key):
    client = direct(server)
    client.put_object(Bucket=bucket, Key="images/", Body=b"")
    for name, image in images_of(FACES).items():
        client.put_object(Bucket=bucket, Key=f"images/{name}", Body=image)
    client.put_object(Bucket=bucket, Key="images/notes.txt", Body=b"")
    proxy = through()
    source = read(bucket, key)
    assert source.layout == "image folder"
    assert source.rows == len(FACES)
    asked = proxy.gets()
    assert asked == len(FACES)  # what is empty needs no asking
    assert read(bucket, key).origin == source.origin
    assert proxy.gets() == asked


def faulty(count: int, answer, *, only: str = "GET") -> Fault:
    """Return a fault of the first so many objects, or parts, that are asked for."""
    left = [count]

    def fault(number, method, headers, ask):
        if method == only and (only != "GET" or "Range" in headers) and left[0]:
            left[0] -= 1
            return answer(ask) if callable(answer) else answer
        return ask()

    return fault


def cut(ask, *, reset: bool = False) -> Answer:
    """Return the server's answer, of which half comes."""
    whole = ask()
    return Answer(whole.status, {**whole.headers, "Content-Length": str(len(whole.body))}, whole.body,
                  cut=len(whole.body) // 2, reset=reset)  # fmt: skip


def faults(*cases):
    """Return parameters, each with its place in the table of faults."""
    return [pytest.param(*rest, marks=pytest.mark.fault("ingest from S3", what), id=what) for what, *rest in cases]


@pytest.mark.parametrize(
    "answer",
    faults(
        ("three parts are cut short, with the right headers", cut),
        ("three parts are reset in mid-body", lambda ask: cut(ask, reset=True)),
        ("500 Internal Error, three times", refusal(500, "InternalError")),
        ("503 Slow Down, three times", refusal(503, "SlowDown", "Please reduce your request rate.")),
        ("503 Service Unavailable, three times", refusal(503, "ServiceUnavailable")),
    ),
)
def test_what_passes_is_waited_out(bucket, through, answer, seen):
    proxy = through(faulty(3, answer))
    assert_same(read(bucket).faces, FACES)
    assert proxy.gets() == -(-len(CONTENT) // (1 << 16)) + 3
    seen("waited out: these three parts, and no others, were asked for again")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    faults(
        ("403 Access Denied", faulty(99, refusal(403, "AccessDenied")), "AccessDenied: these credentials may not read"),
        ("403 on the first question", faulty(99, refusal(403, "403"), only="HEAD"), "403: these credentials may not"),
        ("the clock is off", faulty(99, refusal(403, "RequestTimeTooSkewed")), "the clock of this machine is off"),
        ("the token has run out", faulty(99, refusal(400, "ExpiredToken")), "the credentials have run out"),
        (
            "another region",
            faulty(99, refusal(400, "AuthorizationHeaderMalformed")),
            "in another region; set AWS_REGION",
        ),
        ("every part is cut short", faulty(999, cut), "broke off 5 times, at last after"),
        (
            "more comes than was asked for",
            faulty(1, lambda ask: Answer(206, {}, b"x" * (1 << 17))),
            "sent more than was",
        ),
    ),
)
def test_what_does_not_pass_is_said_and_the_next_try_takes_what_came(bucket, through, fault, sentence, seen):
    through()
    Path("before.csv").write_bytes(csv_of(some_faces(9)))
    ingest("before.csv")
    before = paths.PROVENANCE.read_bytes(), paths.FACES.read_bytes()
    through(fault)
    with pytest.raises(UserError, match=sentence) as raised:
        ingest(f"s3://{bucket}/fer/fer2013.csv")
    assert f"s3://{bucket}/fer/fer2013.csv" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (paths.PROVENANCE.read_bytes(), paths.FACES.read_bytes()) == before
    through()
    assert_same(read(bucket).faces, FACES)
    seen(raised.value)


@pytest.mark.fault("ingest from S3", "the object is replaced while it comes: its ETag changes")
def test_an_object_that_is_replaced_while_it_comes_is_never_mixed(bucket, through, server, seen):
    client, other = direct(server), some_faces(60, seed=1)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_object(Bucket=bucket, Key="plain.csv", Body=CONTENT)

    def replaced(ask):
        client.put_object(Bucket=bucket, Key="plain.csv", Body=csv_of(other))
        return ask()

    through(faulty(1, replaced))
    with pytest.raises(UserError, match="it was replaced while it came; the same command brings the new one") as raised:
        read(bucket, "plain.csv")
    seen(raised.value)
    assert_same(read(bucket, "plain.csv").faces, other)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("fer/none.csv", "there is no such object, and nothing below fer/none.csv/"),
        ("none/", "there is no such object, and nothing below none/"),
    ],
)
@pytest.mark.fault("ingest from S3", "the key is missing")
def test_a_missing_key_is_said(bucket, through, key, sentence, seen):
    through()
    with pytest.raises(UserError, match=sentence) as raised:
        read(bucket, key)
    seen(raised.value)


def test_addresses_and_buckets_that_are_none_are_said(here, through):
    through()
    with pytest.raises(UserError, match="there is no such bucket at this endpoint"):
        read("no-such-bucket", "folder/")
    with pytest.raises(UserError, match="expected s3://bucket/key"):
        read_source("s3://bucket", BadRows(0), Path("work"))


def test_keys_that_climb_out_are_refused(bucket, through, server):
    direct(server).put_object(Bucket=bucket, Key="evil/../../up.png", Body=b"x")
    through()
    with pytest.raises(UserError, match=r"climbs out of the folder; refused"):
        read(bucket, "evil/")


@pytest.mark.fault("ingest from S3", "there are no credentials")
def test_without_credentials_the_sentence_says_how_to_get_them(here, through, monkeypatch, seen):
    through()
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(UserError, match="Unable to locate credentials; set AWS_PROFILE") as raised:
        read("bucket")
    seen(raised.value)


@pytest.mark.fault("ingest from S3", "nothing listens at the endpoint")
def test_a_server_that_is_not_there_is_said(here, monkeypatch, seen):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"Could not connect .*; check the network and AWS_ENDPOINT_URL") as raised:
        read("bucket")
    seen(raised.value)


@pytest.mark.parametrize("endpoint", ["garbage", "localhost:9000", "http://", "http://[bad", "user:planted@host"])
def test_an_endpoint_that_is_no_address_is_said(here, monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UserError, match=r"^AWS_ENDPOINT_URL: found no address.*, expected one as in http:") as raised:
        read("bucket")
    assert "\n" not in str(raised.value)
    assert "planted" not in str(raised.value)


@pytest.mark.fault("ingest from S3", "killed in the middle of a download")
def test_killed_in_the_middle_it_goes_on_with_what_is_missing(bucket, through, seen):
    def slow(number, method, headers, ask):
        time.sleep(0.3 if "Range" in headers else 0)
        return ask()

    proxy = through(slow)
    code = (
        "from tasks.ingest import download; download.PART, download.WORKERS = 1 << 16, 2\n"
        f"from tasks.ingest.__main__ import ingest; ingest('s3://{bucket}/fer/fer2013.csv')"
    )
    command, environment = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    parts = -(-len(CONTENT) // (1 << 16))
    first = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while sum(len(path.read_text().splitlines()) for path in paths.DOWNLOADS.rglob("parts.json")) < 1 + 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not paths.DATA.exists()
    asked = proxy.gets()
    subprocess.run(command, env=environment, check=True)
    assert proxy.gets() - asked <= parts - 3
    assert json.loads(paths.PROVENANCE.read_text())["rows"] == len(FACES)
    seen("the same command asked for the missing parts alone, and ended well")


@pytest.mark.fault("ingest from S3", "a file may not grow any more, as on a full disk")
def test_a_full_disk_is_said_and_leaves_what_was_there(bucket, through, seen):
    """A limit on the size of files stands for the disk: what asks for room is refused alike."""
    through()
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "import sys; sys.argv = ['ingest', sys.argv[1], '--no-pin']\n"
        "from tasks.ingest.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"s3://{bucket}/fer/fer2013.csv"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "can't be written (File too large); put that right, and the same command goes on" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not paths.DATA.exists()
    seen(done.stderr)
