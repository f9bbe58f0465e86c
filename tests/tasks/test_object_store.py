"""The one way to an object store, as the model registry goes it: addresses that are none."""

import os

import pytest

from tasks.common.errors import UserError
from tasks.registry.stores import open_store


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_an_endpoint_that_is_no_address_is_said(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "garbage")
    with pytest.raises(UserError, match=r"^AWS_ENDPOINT_URL: found no address \(Invalid endpoint: garbage\), expected"):
        open_store("s3://bucket/models")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://user:planted@bucket/models", "^the address holds credentials, .*; expected s3://bucket/key"),
        ("s3://key:planted/with-a-slash@bucket", "^the address holds credentials"),
        ("s3://Bad*/models", r"^s3://Bad\*: found the bucket 'Bad\*', expected letters"),
        ("s3://arn:aws:none/models", r"^s3://arn:aws:none/models: .*Invalid bucket name"),
    ],
)
def test_a_bucket_that_is_none_gets_one_line_without_its_secret(address, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        open_store(address).names("")
    assert "\n" not in str(raised.value)
    assert "planted" not in str(raised.value)
