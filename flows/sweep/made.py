"""Whether a run of a sweep is there already, as an experiment: by its parameters, its data and its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from dvc.dvcfile import LOCK_FILE, PROJECT_FILE
from dvc.utils.serialize import parse_yaml

from flows.data import PIN
from flows.experiment import GIT_REMOTE, git
from flows.graph import Stage, read_graph, stages_until
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.reading import changed, parse, read_values

Refs = dict[str, str]
"""Commits by the git refs that hold them."""

SHOWN: Final = 3
"""Names of changed files that a sentence has room for."""


@dataclass(frozen=True)
class Asked:
    """What is to be run.

    Attributes:
        name: of the DVC experiment.
        settings: parameters that are not those of `params.yaml`.
        until: the last stage; None for all, to the verdict.
    """

    name: str
    settings: Mapping[str, Any]
    until: str | None


def is_there(root: Path, asked: Asked) -> bool:
    """Return whether there is an experiment of the name, with these parameters and the data that is pinned now.

    Raises:
        UserError: one of that name is there, and it is another.
    """
    found = refs(root, asked.name)
    if not found:
        return False
    commit = next(iter(found.values()))
    now = changed(read_values(root / paths.PARAMS), asked.settings)
    then = parse(git(root, "show", f"{commit}:{paths.PARAMS}"))
    pins = [
        yaml.safe_load(text)["outs"]
        for text in ((root / PIN).read_text(encoding="utf-8"), git(root, "show", f"{commit}:{PIN}"))
    ]
    differs = [*_differing(now, then), *([PIN] if pins[0] != pins[1] else [])]
    if differs:
        raise UserError(
            f"{asked.name}: an experiment of that name is there, which differs in {', '.join(differs)}; remove it "
            f"(`dvc exp remove {asked.name}`), or give the run another name"
        )
    return True


def other_code(root: Path, asked: Asked) -> list[str]:
    """Return in what the code of the stages that a run needs differs from that of its experiment, which is there.

    A baseline is no code: the verdict of an experiment is one on the baseline of its day.
    """
    commit = next(iter(refs(root, asked.name).values()))
    stages = _stages(root, asked.until)
    code = _code(stages)
    files = git(root, "diff", "--name-only", commit, "--", *code).splitlines() if code else []
    lock = parse_yaml(git(root, "show", f"{commit}:{LOCK_FILE}"), LOCK_FILE).get("stages") or {}
    ran = {name: stage.get("cmd") for name, stage in lock.items()}
    return files + [f"the command of {stage.name}" for stage in stages if ran.get(stage.name) != stage.command]


def check_code(root: Path, *, pool: bool) -> None:
    """Check that each run of a sweep will have the code that lies here.

    Raises:
        UserError: git does not know a file, or the workers of the pool can't have a change.
    """
    code = [*_code(read_graph(root)), PROJECT_FILE]
    new = git(root, "ls-files", "--others", "--exclude-standard", "--", *code).splitlines()
    if new:
        raise UserError(f"{listed(new)}: unknown to git, so that the clone of a run would lack it; `git add` it first")
    if not pool:
        return
    base, place = _shared(root)
    changes = git(root, "diff", "--name-only", base, "--", *code, str(paths.PARAMS), PIN).splitlines()
    if changes:
        raise UserError(f"{listed(changes)}: not as {place}, which the pool's workers clone; commit and push it first")


def _shared(root: Path) -> tuple[str, str]:
    """Return the commit that the workers of the pool clone, and what to call it."""
    if GIT_REMOTE not in git(root, "remote").split():
        return "HEAD", "in the last commit"
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    git(root, "fetch", "--quiet", GIT_REMOTE, branch)
    return "FETCH_HEAD", f"in {branch} on {GIT_REMOTE}"


def listed(files: list[str]) -> str:
    """Return some names of many, as a sentence says them."""
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f"{', '.join(files[:SHOWN])}{more}"


def refs(root: Path, name: str) -> Refs:
    """Return the refs of all experiments of a name, the newest first: one for each commit from which one started."""
    wanted = ("--sort=-committerdate", "--format=%(refname) %(objectname)", f"refs/exps/*/*/{name}")
    lines = git(root, "for-each-ref", *wanted).splitlines()
    return dict(line.split() for line in lines)


def supersede(root: Path, name: str, before: Refs, *, remote: bool = False) -> bool:
    """Let a new experiment be the only one of its name; return whether there is a new one.

    Args:
        root: of the repository.
        name: of the experiment.
        before: its refs before the run.
        remote: remove the old ones from the git remote too.
    """
    now = refs(root, name)
    new = [ref for ref, commit in now.items() if before.get(ref) != commit]
    if new:
        forget(root, [ref for ref in now if ref not in new], remote=remote)
    return bool(new)


def forget(root: Path, old: list[str], *, remote: bool = False) -> None:
    """Remove experiments, by their refs."""
    for ref in old:
        git(root, "update-ref", "-d", ref)
    there = git(root, "ls-remote", GIT_REMOTE, *old).split()[1::2] if old and remote else []
    if there:
        git(root, "push", "--quiet", GIT_REMOTE, *(f":{ref}" for ref in there))


def _stages(root: Path, until: str | None) -> list[Stage]:
    return stages_until(root, until) if until else read_graph(root)


def _code(stages: list[Stage]) -> list[str]:
    found = {path for stage in stages for path in stage.sources if not Path(path).is_relative_to(paths.BASELINES)}
    return sorted(found)


def _differing(now: Mapping[str, Any], then: Mapping[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name in sorted({*now, *then}):
        one, other = now.get(name), then.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += _differing(one, other, f"{prefix}{name}.")
        elif one != other:
            names.append(f"{prefix}{name}")
    return names
