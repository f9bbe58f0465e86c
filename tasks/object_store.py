"""The one way to an object store: boto3's client as we want it, and its errors in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
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


def connect(connections: int = 10) -> Any:
    """Return a client for S3, with so many connections at once; what passes, it tries again by itself.

    Credentials, region and endpoint are found as boto3 finds them.
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
    return boto3.Session().client("s3", config=config)


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
    except BotoCoreError as error:
        raise UserError(f"{address}: {error}; check the network and AWS_ENDPOINT_URL, then run it again") from error


def _mend(error: ClientError) -> str:
    found, said = code(error), error.response.get("Error", {}).get("Message", "")
    for codes, mend in _MENDS.items():
        if found in codes:
            return mend
    return f"{said}; nothing has changed here"


def code(error: ClientError) -> str:
    """Return the store's code of an error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))
