"""What lies elsewhere: Prefect's API and DVC's remote."""

import base64
import json
import re
import ssl
import sys
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from packaging.version import Version

from flows.doctor.asking import ask
from flows.doctor.check import Check, Need

SECONDS: Final = 5.0
"""For each answer of Prefect."""

REMOTE_SECONDS: Final = 20.0

SHOWN: Final = frozenset({"url", "endpointurl", "region", "profile", "user", "port", "auth", "method"})
"""Options of a remote that are no secrets; the values of all others are blotted out."""


def prefect(_: Need) -> Check:
    """Check that the API of Prefect answers, and that its version goes with ours."""
    from prefect import __version__  # noqa: PLC0415 - slow
    from prefect.settings import get_current_settings  # noqa: PLC0415 - slow

    settings = get_current_settings()
    if settings.api.url is None:
        return Check("Prefect", "pass", "none set: a temporary server is used")
    url = settings.api.url.rstrip("/")
    try:
        with httpx.Client(headers=_headers(settings), timeout=SECONDS, verify=_trust(settings.api)) as client:
            client.get(f"{url}/health").raise_for_status()
            answer = client.get(f"{url}/admin/version").raise_for_status()
    except httpx.HTTPError as error:
        mend = "start that server (`prefect server start`), or `prefect config unset PREFECT_API_URL` to do without"
        return Check("Prefect", "fail", hide(f"{url}: {error}", {}), mend)
    return versions(address(url), Version(answer.json()), Version(__version__))


def versions(where: str, server: Version, ours: Version) -> Check:
    """Judge the server's version: another major one is refused by Prefect, an older one may lack something."""
    found = f"{where} has version {server}, this environment {ours}"
    if server.major != ours.major:
        return Check("Prefect", "fail", found, f"install Prefect {ours} on the server")
    if server < ours:
        return Check("Prefect", "warn", found, f"install Prefect {ours} on the server")
    return Check("Prefect", "pass", found)


def remote(_: Need) -> Check:
    """Check that DVC's default remote answers, by listing it in a process that may be ended."""
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    with Repo() as repo:
        name = repo.config["core"].get("remote")
        options: dict[str, Any] = repo.config["remote"][name] if name else {}
    if not name:
        return Check("DVC's remote", "pass", "none set")
    where = f"{name} ({address(options['url'])})"
    answer = ask([sys.executable, "-m", "flows.doctor.remote"], REMOTE_SECONDS)
    reply = {"fault": answer.fault} if answer.fault else json.loads(answer.said.splitlines()[-1])
    if reply["fault"]:
        mend = (
            f"look at network, rights and credentials of {where}: `dvc remote list`, `dvc remote modify --local {name}`"
        )
        return Check("DVC's remote", "fail", f"{name}: {hide(reply['fault'], options)}", mend)
    if not reply["there"]:
        return Check(
            "DVC's remote", "warn", f"{where} is not there yet", "`dvc push` makes it; is a drive not mounted?"
        )
    return Check("DVC's remote", "pass", where)


def address(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def hide(text: str, options: dict[str, Any]) -> str:
    """Return a text with nothing in it that opens a door: no user and password of a URL, no secret of a remote."""
    if url := options.get("url"):
        text = text.replace(url, address(url))
    secrets = [str(value) for name, value in options.items() if name not in SHOWN and isinstance(value, str) and value]
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(r"://[^/\s]*@", "://", text)


def _headers(settings: Any) -> dict[str, str]:
    """Return what Prefect's own client sends: its password comes before its key."""
    headers = dict(settings.client.custom_headers)
    if settings.api.auth_string:
        password = settings.api.auth_string.get_secret_value().encode()
        headers["Authorization"] = f"Basic {base64.b64encode(password).decode()}"
    elif settings.api.key:
        headers["Authorization"] = f"Bearer {settings.api.key.get_secret_value()}"
    return headers


def _trust(api: Any) -> ssl.SSLContext | bool:
    return False if api.tls_insecure_skip_verify else ssl.create_default_context(cafile=api.ssl_cert_file)
