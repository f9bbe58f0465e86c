"""A source at Kaggle: `kaggle:owner/dataset`, or `kaggle:competition/name`, by Kaggle's own client."""

import re
from pathlib import Path
from typing import Final

import kagglehub
import requests
from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

from tasks.common.errors import UserError
from tasks.common.provenance import Origin
from tasks.ingest.source import Fetched

HOW_TO_SIGN_IN: Final = (
    "make a token at https://www.kaggle.com/settings (API, Create New Token) and put it into ~/.kaggle/kaggle.json, or "
    "into KAGGLE_USERNAME and KAGGLE_KEY"
)

_HANDLE: Final = re.compile(r"kaggle:(?:competition/(?P<competition>[\w-]+)|(?P<dataset>[\w-]+/[\w-]+))", re.IGNORECASE)


def fetch(source: str) -> Fetched:
    """Bring a data set or a competition's data here, as a folder.

    The client keeps what it fetched in its own cache, and fetches a version once.

    Raises:
        UserError: Kaggle does not give it.
    """
    match = _HANDLE.fullmatch(source)
    if not match:
        raise UserError(f"{source}: expected kaggle:owner/dataset, or kaggle:competition/name")
    competition = match["competition"]
    try:
        folder = Path(
            kagglehub.competition_download(competition) if competition else kagglehub.dataset_download(match["dataset"])
        )
    except UnauthenticatedError as error:
        raise UserError(f"{source}: Kaggle wants to know who asks; {HOW_TO_SIGN_IN}") from error
    except requests.HTTPError as error:
        raise UserError(f"{source}: {_reason(error, competition)}") from error
    except (requests.RequestException, DataCorruptionError, OSError, ValueError) as error:
        raise UserError(f"{source}: {' '.join(str(error).split())}; check the network, then run it again") from error
    version = folder.name if folder.parent.name == "versions" else None
    return Fetched(folder, Origin(url=source, etag=None, version=version), name=source.rsplit("/", 1)[-1])


def _reason(error: requests.HTTPError, competition: str | None) -> str:
    status = error.response.status_code if error.response is not None else None
    if status in (401, 403):
        rules = f", and accept the rules at https://www.kaggle.com/c/{competition}/rules" if competition else ""
        return f"Kaggle refuses it ({status}); {HOW_TO_SIGN_IN}{rules}"
    if status == 404:
        return "there is no such data set at Kaggle; look at the end of its page's address"
    return f"Kaggle answers {status}; try again later"
