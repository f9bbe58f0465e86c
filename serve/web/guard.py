"""Who may ask: everybody on this machine, and from elsewhere who knows the token."""

import ipaddress
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from tasks.common.errors import UserError

COOKIE: Final = "token"


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a host, by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(host: str, token: str | None) -> None:
    """Refuse to listen to others without a token, or with one that can be guessed.

    Raises:
        UserError: that is so.
    """
    if not is_loopback(host) and len(token or "") < 16:
        raise UserError(
            f"--host {host}: others could look through this page; give --token, or FACIAL_EMOTION_TOKEN, of at least "
            f"16 characters, such as {secrets.token_urlsafe(24)}"
        )


class Guard:
    """Checks each request and each WebSocket."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def refusal(self, connection: HTTPConnection) -> str | None:
        """Return why a connection is refused, or None.

        A page of another origin may neither ask nor listen, also where the browser knows the token.
        """
        origin = connection.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
            return "this page answers to itself alone, not to other sites"
        if self._token is None:
            host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
            # Else a foreign name that leads to this machine (DNS rebinding) would be let in.
            return None if is_loopback(host) else "this page listens on this machine alone; use http://127.0.0.1"
        given = (
            connection.query_params.get("token")
            or connection.headers.get("authorization", "").removeprefix("Bearer ")
            or connection.cookies.get(COOKIE)
            or ""
        )
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return "the token is missing or wrong; open the address with ?token=…"
        return None
