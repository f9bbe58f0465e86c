"""The stages of `dvc.yaml`, as DVC sees them: which there are, and in what order they run."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
from dvc.dependency import ParamsDependency
from dvc.dvcfile import LOCK_FILE, PROJECT_FILE, Lockfile, load_file
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from tasks.common.errors import UserError


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: what `dvc repro --single-item` calls it.
        description: its `desc` in `dvc.yaml`.
        device: it computes on the device, one stage at a time on a machine (`meta: {device: true}`).
        retries: how often it is tried again after it was killed (`meta: {retries: 2}`); never after bad input.
        command: its `cmd`, as `dvc.lock` notes it.
        sources: paths that it depends on and that DVC does not make or pin: code and baselines, which git has.
    """

    name: str
    description: str
    device: bool
    retries: int
    command: Any
    sources: tuple[str, ...]


def read_graph(root: Path) -> list[Stage]:
    """Return all stages of the repository at `root`, each after those that it depends on.

    Raises:
        UserError: there is no DVC repository, or `dvc.yaml` is wrong; in DVC's words.
    """
    try:
        with Repo(str(root)) as repo:
            stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
            place = {stage: number for number, stage in enumerate(stages)}
            needs = repo.index.graph  # an edge leads from a stage to what it needs
            order = nx.lexicographical_topological_sort(needs.reverse(), key=lambda stage: place.get(stage, -1))
            outs = tuple(Path(out.fs_path) for stage in repo.index.stages for out in stage.outs)
            return [_described(stage, outs) for stage in order if stage in place]
    except DvcException as error:
        raise UserError(f"dvc.yaml: {error}") from error


def changes(root: Path) -> list[str]:
    """Return what is not as `dvc.lock` and `data.dvc` have it, as a sentence names it: what `dvc status` finds.

    Raises:
        UserError: DVC can't say; in DVC's words.
    """
    try:
        with Repo(str(root)) as repo:
            found = repo.status()
    except DvcException as error:
        raise UserError(f"dvc status: {error}") from error
    names = (name for stage, entries in found.items() for entry in entries for name in _named(stage, entry))
    return list(dict.fromkeys(names))


def unreadable(root: Path, name: str) -> str | None:
    """Return why DVC can't read its `dvc.lock` or a `.dvc` file, as after a merge that was left in the middle.

    Returns:
        DVC's words; None where it can, or where there is no such file.
    """
    path = str(root / name)
    if not Path(path).exists():
        return None
    try:
        with Repo(str(root)) as repo:
            Lockfile(repo, path).load() if name == LOCK_FILE else load_file(repo, path).stage
    except DvcException as error:
        return str(error)
    return None


def _named(stage: str, entry: str | dict[str, dict[str, Any]]) -> list[str]:
    """Return the names in one entry of DVC's status, such as `{"changed deps": {"params.yaml": {"train": …}}}`."""
    if isinstance(entry, str):
        return [f"the {entry} of {stage}"]
    differs = [item for one in entry.values() for item in one.items()]
    return [f"{path} ({', '.join(how)})" if isinstance(how, dict) else path for path, how in differs]


def stages_until(root: Path, name: str) -> list[Stage]:
    """Return the stages up to one of them, each after those that it depends on.

    Raises:
        UserError: there is no such stage; the sentence has the nearest name.
    """
    stages = read_graph(root)
    names = [stage.name for stage in stages]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        raise UserError(
            f"until: dvc.yaml has no stage {name}; "
            + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")
        )
    return stages[: names.index(name) + 1]


def _described(stage: PipelineStage, outs: tuple[Path, ...]) -> Stage:
    meta = stage.meta or {}
    # DVC's own `addressing` depends on the folder of the process.
    name = stage.name if stage.path_in_repo == PROJECT_FILE else f"{stage.path_in_repo}:{stage.name}"
    needs = [Path(one.fs_path) for one in stage.deps if not isinstance(one, ParamsDependency)]
    root = stage.repo.root_dir
    made = [one for one in needs if any(one.is_relative_to(out) for out in outs)]
    sources = [one.relative_to(root).as_posix() for one in needs if one.is_relative_to(root) and one not in made]
    device, retries = bool(meta.get("device", False)), int(meta.get("retries", 0))
    return Stage(name, stage.desc or "", device, retries, stage.cmd, tuple(sources))
