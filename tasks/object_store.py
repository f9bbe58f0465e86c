"""The one way to an object store: boto3's client as we want it, and its errors in a sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from tasks.common.errors import UserError

BUSY: Final = ("SlowDown", "ServiceUnavailable", "Throttling", "InternalError", "RequestTimeout", "500", "502", "503")
"""Codes after which another try may go through."""

CHANGED: Final = ("PreconditionFailed", "412", "NoSuchVersion", "ConditionalRequestConflict", "409")
"""Codes of a condition that does not hold: somebody else has written."""

MISSING: Final = ("404", "NoSuchKey", "NotFound")

_DENIED: Final = ("403", "AccessDenied", "Forbidden")

_MENDS: Final = {
    _DENIED: "these credentials may not read it, or write it; ask its owner for GetObject, PutObject, ListBucket",
    ("InvalidAccessKeyId", "SignatureDoesNotMatch"): "the store does not know these credentials; check key and secret",
    ("ExpiredToken", "TokenRefreshRequired"): "the credentials have run out; sign in again",
    ("RequestTimeTooSkewed",): "the clock of this machine is off; set it, as `timedatectl set-ntp true` does",
    ("NoSuchBucket",): "there is no such bucket at this endpoint; check its name and AWS_ENDPOINT_URL",
    MISSING: "there is no such object; check its key",
    ("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"): (
        "the bucket is in another region; set AWS_REGION to it"
    ),
    BUSY: "the store is busy and has refused several times; try again later",
}
"""What to do about a code."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[A-Za-z0-9:._-]+")


def check_bucket(name: str) -> None:
    """Refuse what can't be a bucket's name, and show nothing of it where it may hold a key and a secret.

    Raises:
        UserError: it has other signs than such names have.
    """
    if _BUCKET.fullmatch(name):
        return
    if "@" in name or ":" in name:
        # Not the cause either, in whose words the secret stands.
        raise UserError(
            "the address holds credentials, or what looks like them, before its bucket; expected s3://bucket/key, "
            "leave them to AWS_PROFILE or the environment"
        ) from None
    raise UserError(
        f"s3://{name}: found the bucket {name!r}, expected letters, digits, dots and hyphens alone; check its name"
    ) from None


def connect(connections: int = 10) -> Any:
    """Return a client for S3, with so many connections at once; what passes, it tries again by itself.

    Credentials, region and endpoint are found as boto3 finds them.

    Raises:
        UserError: the endpoint is no address.
    """
    tries: Any = {"mode": "standard", "max_attempts": 4}
    config = Config(
        retries=tries,
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=connections,
        # Stores other than AWS know boto3's new checksums badly: some refuse them, some answer for a part with that of
        # the whole. Ours are ETags on the way in, and the manifest's SHA-256 sums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.Session().client("s3", config=config)
    except BotoCoreError:  # some are ValueErrors too; `explained` knows them better
        raise
    except ValueError as error:
        reason = "" if "@" in str(error) else f" ({' '.join(str(error).split())})"  # it shows what may hold a password
        raise UserError(
            f"AWS_ENDPOINT_URL: found no address{reason}, expected one as in http://127.0.0.1:9000; mend it, or "
            "leave it out"
        ) from None


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Say in a sentence what the store, or the way to it, has against it.

    Raises:
        UserError: whatever boto3 raises in the block.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError) as error:
        raise UserError(
            f"{address}: {error}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use "
            "`aws configure`"
        ) from error
    except ClientError as error:
        raise UserError(f"{address}: {code(error)}: {_mend(error)}") from error
    except ParamValidationError as error:
        check_bucket(address.partition("://")[2].partition("/")[0])
        raise UserError(f"{address}: {' '.join(str(error).split())}; check the address") from error
    except BotoCoreError as error:
        said = re.sub(r"//[^/\s]*@", "//", str(error))  # an endpoint may hold a password
        raise UserError(f"{address}: {said}; check the network and AWS_ENDPOINT_URL, then run it again") from None


def _mend(error: ClientError) -> str:
    found, said = code(error), error.response.get("Error", {}).get("Message", "")
    for codes, mend in _MENDS.items():
        if found in codes:
            return mend
    return f"{said}; nothing has changed here"


def code(error: ClientError) -> str:
    """Return the store's code of an error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))
