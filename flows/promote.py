"""Make the network that lies here the baseline, commit it, and tag the commit as a version: `make promote`.

The tag is of the kind that DVC's model registry (GTO) reads: `facial-emotion@v3.0.0` is the third version of the
artifact `facial-emotion` of dvc.yaml.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flows.data import PIN
from flows.experiment import git
from flows.graph import changes
from flows.sweep.made import listed
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.gate.verdict import read_verdict

ARTIFACT: Final = "facial-emotion"

LOCK: Final = "dvc.lock"


def next_version(tags: list[str]) -> int:
    """Return the number of the version after those that are tagged."""
    found = (re.fullmatch(rf"{ARTIFACT}@v(\d+)\.\d+\.\d+", tag) for tag in tags)
    return max((int(one[1]) for one in found if one), default=0) + 1


def of_a_run(root: Path, name: str) -> list[str]:
    """Return the files that say which run it was, and that git tracks or is about to."""
    made = [paths.BASELINES / f"{name}.json", paths.BASELINES / f"{name}.parquet"]
    metrics = sorted(path.relative_to(root) for path in (root / paths.VERDICT.parent).glob("*.json"))
    return [str(path) for path in (*made, paths.PARAMS, Path(PIN), Path(LOCK), *metrics) if (root / path).exists()]


def check_who_commits(root: Path) -> None:
    """Check that git knows who makes the commit, before anything is published.

    Raises:
        UserError: it does not.
    """
    try:
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            git(root, "var", who)
    except UserError as error:
        raise UserError(
            "git: it does not know who commits; say it with `git config user.name NAME` and `git config user.email "
            "ADDRESS`, and promote then"
        ) from error


def check_nothing_else_is_changed(root: Path) -> None:
    """Check that the commit can tell the whole of the run: code and graph are those of a commit.

    Raises:
        UserError: something else that git tracks is changed.
    """
    run = {str(paths.PARAMS), PIN, LOCK}
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    others = [path for path in changed if path not in run and not path.startswith(f"{paths.VERDICT.parent}/")]
    if others:
        raise UserError(f"{', '.join(others)}: changed and not committed; commit, run `dvc repro`, and promote then")


def check_is_of_the_run(root: Path) -> None:
    """Check that parameters, data, baselines and outputs are those of the run that made what lies here.

    Raises:
        UserError: one of them is not.
    """
    found = changes(root)
    if found:
        raise UserError(f"{listed(found)}: not as in the run that {LOCK} notes; run `dvc repro`, and promote then")


def keep(root: Path, name: str, tag: str) -> None:
    """Commit and tag what was promoted.

    Raises:
        UserError: git, or a hook of it, refuses; in its words, and with what to do then.
    """
    files, reason = of_a_run(root, name), next(iter(read_verdict(paths.VERDICT).reasons), "")
    tagging = f"`git tag --annotate {tag}`"
    with _explained(name, "not committed", f"`git add {' '.join(files)}`, `git commit` and {tagging}"):
        git(root, "add", "--", *files)
        git(root, "commit", "--quiet", "--message", f"Promote {name}\n\n{reason}", "--", *files)
    with _explained(name, "not tagged", tagging):
        git(root, "tag", "--annotate", tag, "--message", f"{name}: {reason}")


@contextmanager
def _explained(name: str, state: str, by: str) -> Iterator[None]:
    """Have a refusal of git's say how far the promotion has come, and what finishes it."""
    try:
        yield
    except UserError as error:
        raise UserError(
            f"{error}; {name} is champion of the registry, but {state}: put that right, then {by}"
        ) from error


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", help="of the baseline; without it, the version, such as v3")
    root = Path.cwd()
    version = next_version(git(root, "tag", "--list").split())
    name = parser.parse_args().name or f"v{version}"
    check_who_commits(root)
    check_nothing_else_is_changed(root)
    check_is_of_the_run(root)
    if subprocess.run([sys.executable, "-m", "tasks.promote", name], check=False).returncode:
        sys.exit(1)  # it has said why
    tag = f"{ARTIFACT}@v{version}.0.0"
    keep(root, name, tag)
    say(f"tagged: {tag}; `git push --follow-tags` and `dvc push` share it")


if __name__ == "__main__":
    main()
