"""Set DVC's remote up, and prove that a fresh clone gets everything from it: `make remote URL=s3://bucket/prefix`.

The address goes into `.dvc/config`, which git keeps; credentials stay where DVC finds them (profile, environment, role
of the instance).
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dvc.config import Config
from dvc.dvcfile import LOCK_FILE

from flows.experiment import git
from flows.leash import Leash
from flows.places import bring_changes
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
    root = Path.cwd()
    with configured(root, options.url, options.endpoint):
        files = prove(root)
    say(f"{options.url}: pushed, pulled into a fresh clone, and equal: {files}")
    say("now `git commit .dvc/config` brings it to everybody; each run pushes what it makes")


@contextmanager
def configured(root: Path, url: str, endpoint: str | None = None) -> Iterator[None]:
    """Write the remote into `.dvc/config`; if the block raises, the file is as it was.

    Raises:
        UserError: an address holds credentials, or the endpoint is no address.
    """
    for address in filter(None, (url, endpoint)):
        if urlsplit(address).password or "@" in urlsplit(address).netloc:
            raise UserError(
                "the address holds credentials, and .dvc/config is in git; leave them to AWS_PROFILE or the environment"
            )
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise UserError(f"{endpoint}: expected an address, as in http://127.0.0.1:9000")
    path = root / ".dvc" / "config"
    before = path.read_bytes() if path.exists() else b""
    if "://" not in url:
        url = str(Path(url).expanduser().resolve())
    with Config(str(root / ".dvc")).edit("repo") as config:
        config["remote"][NAME] = {"url": url} | ({"endpointurl": endpoint} if endpoint else {})
        config["core"]["remote"] = NAME
    try:
        yield
    except BaseException:
        path.write_bytes(before)
        raise


def prove(root: Path) -> str:
    """Push all that the workspace has made, pull it into a fresh clone with an empty cache, and compare.

    Returns:
        what was compared, in words.

    Raises:
        UserError: something does not get there or back; in DVC's words.
    """
    with Leash(root) as leash:
        _run(leash, ["dvc", "push"], "push")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        git(root, "clone", "--quiet", str(root), str(clone))
        bring_changes(root, clone)
        local = root / ".dvc" / "config.local"
        if local.exists():
            shutil.copy(local, clone / ".dvc")
        with Config(str(clone / ".dvc")).edit("local") as config:
            config["cache"]["dir"] = str(Path(folder) / "cache")
        with Leash(clone) as leash:
            _run(leash, ["dvc", "pull"], "pull")
            said = _run(leash, ["dvc", "status"], "status")
        if "up to date" not in said:
            raise UserError(f"what came back differs: {said}; look with `dvc status` and push again")
        count = sum(path.is_file() for path in (Path(folder) / "cache").rglob("*"))
    return f"{count} objects" + (
        "" if (root / LOCK_FILE).exists() else ", none of them of a run: there has been none yet"
    )


def _run(leash: Leash, words: list[str], what: str) -> str:
    lines: list[str] = []
    if leash.run(words, lines.append):
        said = [line for line in lines if line.startswith("ERROR: ")] or lines[-1:]
        reason = " ".join(said).removeprefix("ERROR: ")
        raise UserError(f"dvc {what}: {reason}; .dvc/config is as it was")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
