"""Set DVC's remote up, and prove that a fresh clone gets everything from it: `make remote URL=s3://bucket/prefix`.

The address goes into `.dvc/config`, which git keeps; credentials stay where DVC finds them (profile, environment, role
of the instance).
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from dvc.config import Config, ConfigError
from dvc.dvcfile import LOCK_FILE
from dvc.repo import Repo

from flows.leash import Leash
from flows.places import clone
from tasks.common.console import say
from tasks.common.errors import UserError, command

NAME: Final = "store"
"""Of the remote, in `.dvc/config`."""


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.remote", description=__doc__.splitlines()[0])
    parser.add_argument("url", help="s3://bucket/prefix, or a folder that all machines share")
    parser.add_argument("--endpoint", metavar="URL", help="of a store that is not Amazon's, such as MinIO")
    options = parser.parse_args()
    check(options.url, options.endpoint)
    remote = settings(options.url, options.endpoint)
    say(f"{options.url}: pushed, pulled into a fresh clone, and equal: {prove(Path.cwd(), remote)}")
    configure(Path.cwd(), remote)
    say("now `git commit .dvc/config` brings it to everybody; each run pushes what it makes")


def check(url: str, endpoint: str | None) -> None:
    """Refuse addresses that can't be a remote's.

    Raises:
        UserError: an address holds credentials, or the endpoint is no address.
    """
    for address in filter(None, (url, endpoint)):
        parts = _parts(address)
        # A secret key may have a slash, before which no `@` stands then; no bucket's name has a colon.
        if "@" in parts.netloc or (parts.scheme == "s3" and ":" in parts.netloc):
            raise UserError(
                "the address holds credentials, and .dvc/config is in git; leave them to AWS_PROFILE or the environment"
            )
    if endpoint and _parts(endpoint).scheme not in ("http", "https"):
        raise UserError(f"{endpoint}: expected an address, as in http://127.0.0.1:9000")


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # whose words may show a password, as the address may
        raise UserError(
            "the address can't be read; expected s3://bucket/prefix or a folder, and an endpoint as in "
            "http://127.0.0.1:9000"
        ) from None


def settings(url: str, endpoint: str | None) -> dict[str, str]:
    """Return what `.dvc/config` says of the remote; a folder's path becomes an absolute one.

    Raises:
        UserError: the folder is that of a user whom nobody knows.
    """
    try:
        where = url if "://" in url else os.path.realpath(Path(url).expanduser())
    except RuntimeError as error:
        raise UserError(f"{url}: there is no such user here; give the folder's whole path") from error
    return {"url": where} | ({"endpointurl": endpoint} if endpoint else {})


def configure(root: Path, remote: dict[str, str]) -> None:
    """Write the remote into the `.dvc/config` of the repository at `root`, as the one that DVC takes by default.

    Raises:
        UserError: DVC takes no such address.
    """
    try:
        with Config(str(root / ".dvc")).edit("repo") as config:
            config["remote"][NAME] = remote
            config["core"]["remote"] = NAME
    except ConfigError as error:
        reason = " ".join(str(error).split()).partition(" for dictionary value")[0]
        raise UserError(f"{remote['url']}: {reason}; expected s3://bucket/prefix or a folder") from error


def prove(root: Path, remote: dict[str, str]) -> str:
    """Push all that the workspace has made, pull it into a fresh clone with an empty cache, and compare.

    Both are done by clones, so that `.dvc/config` is untouched until all is proved, and however this ends.

    Returns:
        what was compared, in words.

    Raises:
        UserError: something does not get there or back; in DVC's words.
    """
    with Repo(str(root)) as repo:
        cache = Path(repo.cache.local_cache_dir)
    with tempfile.TemporaryDirectory() as folder:
        with Leash(_clone(root, Path(folder) / "from", remote, cache)) as leash:
            _run(leash, ["dvc", "push"], "push")
        empty = Path(folder) / "cache"
        with Leash(_clone(root, Path(folder) / "to", remote, empty)) as leash:
            _run(leash, ["dvc", "pull"], "pull")
            said = _run(leash, ["dvc", "status", "--json"], "status")
        status = next(line for line in said.splitlines() if line.startswith("{"))  # DVC may have warned of something
        if others := lost(json.loads(status)):
            raise UserError(f"what came back differs: {', '.join(others)}; look with `dvc status` and push again")
        count = sum(path.is_file() for path in empty.rglob("*"))
    return f"{count} objects" + (
        "" if (root / LOCK_FILE).exists() else ", none of them of a run: there has been none yet"
    )


def lost(status: dict[str, list[Any]]) -> list[str]:
    """Return the outputs that `dvc status --json` finds other than they were made.

    What it says beside them is true of the original too: a promotion, say, made a baseline that the gate has not seen.
    """
    changes = [change for said in status.values() for change in said if isinstance(change, dict)]
    return sorted({path for change in changes for path in change.get("changed outs", {})})


def _clone(root: Path, folder: Path, remote: dict[str, str], cache: Path) -> Path:
    """Clone a repository with its uncommitted changes and DVC's local settings, to use this remote and this cache."""
    clone(root, folder)
    local = root / ".dvc" / "config.local"
    if local.exists():
        shutil.copy(local, folder / ".dvc")
    configure(folder, remote)
    with Config(str(folder / ".dvc")).edit("local") as config:
        config["cache"]["dir"] = str(cache)
    return folder


def _run(leash: Leash, words: list[str], what: str) -> str:
    lines: list[str] = []
    if leash.run(words, lines.append):
        said = [line for line in lines if line.startswith("ERROR: ")] or lines[-1:]
        reason = " ".join(said).removeprefix("ERROR: ")
        raise UserError(f"dvc {what}: {reason}; .dvc/config is as it was")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
