"""The experiments of the repository, read as runs of the leaderboard: all figures are those of `dvc exp show`."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dvc.dvcfile import LOCK_FILE
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.serialize import ExpRange, ExpState
from dvc.utils.serialize import ParseError, parse_yaml

from flows.experiment import git
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.leaderboard.runs import Cost, Run, Tested, base_name
from tasks.report.history import Curve, read_history

Lock = Mapping[str, Mapping[str, Any]]
"""The stages of a `dvc.lock`."""


@dataclass(frozen=True)
class Found:
    """What `dvc exp show` lists.

    Attributes:
        runs: those that were saved.
        left_out: names of the others, each with the reason.
    """

    runs: tuple[Run, ...]
    left_out: tuple[str, ...]


def read_runs(
    root: Path, published: Mapping[str, float] | None = None, wanted: Callable[[str], bool] | None = None
) -> Found:
    """Return the experiments of the repository, whatever commit they started from.

    Args:
        root: of the repository.
        published: accuracies that somebody else measured on the test faces, by the name of the experiment, without its
            seed.
        wanted: says of a name whether to read that experiment; without it, all are read.

    Raises:
        UserError: there is no DVC repository; in DVC's words.
    """
    try:
        with Repo(str(root)) as repo:
            parents = repo.experiments.show(revs=_parents(root), hide_workspace=True)
            listed = [(parent, one) for parent in parents for one in parent.experiments or ()]
            listed = [pair for pair in listed if wanted is None or wanted(_name(pair[1]))]
            runs = [_run(repo, root, parent, one) for parent, one in listed if not _fault(one)]
    except DvcException as error:
        raise UserError(f"dvc exp show: {error}") from error
    figures = published or {}
    runs = [replace(run, published=figures.get(run.name, figures.get(base_name(run.name)))) for run in runs]
    return Found(tuple(runs), tuple(f"{_name(one)} ({fault})" for _, one in listed if (fault := _fault(one))))


def _name(one: ExpRange) -> str:
    return one.name or one.revs[0].rev[:7]


def _parents(root: Path) -> list[str]:
    """Return the commits from which experiments started, and the present one: failed and queued ones have no ref."""
    refs = git(root, "for-each-ref", "--format=%(refname)", "refs/exps/*/*/*").splitlines()
    parts = [ref.split("/") for ref in refs]
    commits = [part[2] + part[3] for part in parts if len(part[2]) == 2 and len(part[3]) == 38]
    return list(dict.fromkeys([git(root, "rev-parse", "HEAD"), *commits]))


def _fault(one: ExpRange) -> str | None:
    """Return why an experiment is no run that was saved."""
    if one.executor and one.executor.state != "success":
        return one.executor.state
    tip = one.revs[0]
    return None if tip.data else (tip.error.msg if tip.error else "nothing is known of it")


def _run(repo: Repo, root: Path, parent: ExpState, one: ExpRange) -> Run:
    tip = one.revs[0]
    params = dict(_flat(_file(tip, "params", paths.PARAMS)))
    before = dict(_flat(_file(parent, "params", paths.PARAMS)))
    lock, older = _lock(root, tip.rev), _lock(root, parent.rev)
    files = (paths.TRAINING, paths.COST, paths.SCORES, paths.VERDICT)
    own = {path for path in files if is_own(path, lock, older, params)}
    figures = {path: _file(tip, "metrics", path) if path in own else {} for path in (paths.TRAINING, paths.COST)}
    with repo.switch(tip.rev):
        return Run(
            name=_name(one),
            commit=tip.rev,
            parent=parent.rev,
            params=params,
            changed=frozenset(name for name in params if name not in before or params[name] != before[name]),
            val_accuracy=_number(figures[paths.TRAINING], "val_accuracy"),
            val_macro_f1=_number(figures[paths.TRAINING], "val_macro_f1"),
            val_faces=figures[paths.TRAINING].get("val_faces"),
            test=_tested(repo, tip, own),
            cost=_cost(figures[paths.COST]),
            curves=_curves(repo) if paths.TRAINING in own else (),
            synthetic=_synthetic(repo, _file(tip, "metrics", paths.VERDICT) if on_one_data(lock) else {}),
        )


def is_own(metrics: Path, lock: Lock, parent: Lock, params: Mapping[str, Any]) -> bool:
    """Return whether an experiment's metrics file is of this very experiment.

    One that was saved before its last stage still carries the files that lay there: those of the commit that it
    started from, or of an earlier run. Its `dvc.lock` tells: a file is its own where the stage that makes it, and each
    stage before that, ran with the parameters that the experiment has, on what the stages before it made in it.

    Args:
        metrics: the file.
        lock: the stages of the experiment's `dvc.lock`.
        parent: those of the commit that it started from.
        params: of the experiment, by dotted name.
    """
    makers = {path: name for name, stage in lock.items() for path in _hashes(stage, "outs")}
    todo, chain = [makers.get(str(metrics))], set[str]()
    while todo:
        name = todo.pop()
        if name is None:
            return False
        if name not in chain:
            chain.add(name)
            todo += [makers[path] for path in _hashes(lock[name], "deps") if path in makers]
    made = {path: value for name in chain for path, value in _hashes(lock[name], "outs").items()}
    for stage in (lock[name] for name in chain):
        if any(made.get(path, value) != value for path, value in _hashes(stage, "deps").items()):
            return False
        if any(name not in params or params[name] != value for name, value in _locked(stage).items()):
            return False
    scoring = makers.get(str(paths.SCORES))
    return scoring not in chain or not _stale(lock[scoring], parent.get(scoring, {}))


def _stale(stage: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Return whether old outputs stand beside a new network: `dvc exp save` of all stages, run or not, notes it so."""
    same = _hashes(stage, "outs") == _hashes(before, "outs")
    return same and _hashes(stage, "deps").get(str(paths.MODEL)) != _hashes(before, "deps").get(str(paths.MODEL))


def on_one_data(lock: Lock) -> bool:
    """Return whether all stages ran on the same faces: then a verdict on another network still tells what they are."""
    return len({_hashes(stage, "deps").get(str(paths.FACES)) for stage in lock.values()} - {None}) <= 1


def _hashes(stage: Mapping[str, Any], kind: str) -> dict[str, str | None]:
    return {one["path"]: one.get(one.get("hash", "md5")) for one in stage.get(kind, ())}


def _locked(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with which a stage ran."""
    return dict(_flat((stage.get("params") or {}).get(str(paths.PARAMS)) or {}))


def _lock(root: Path, commit: str) -> Lock:
    try:
        text = git(root, "show", f"{commit}:./{LOCK_FILE}")
        return parse_yaml(text, LOCK_FILE).get("stages") or {}
    except (UserError, ParseError):  # nothing was ever run there, or what it says can't be relied on
        return {}


def _file(state: ExpState, kind: str, path: Path) -> Mapping[str, Any]:
    """Return what `dvc exp show` has of a file of parameters or metrics; nothing where it is missing or unreadable."""
    found = (getattr(state.data, kind) if state.data else {}).get(str(path), {}).get("data")
    return found if isinstance(found, Mapping) else {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _tested(repo: Repo, tip: ExpState, own: set[Path]) -> Tested | None:
    scores, verdict = (_file(tip, "metrics", path) for path in (paths.SCORES, paths.VERDICT))
    accuracy = _number(scores, "accuracy")
    if paths.SCORES not in own or accuracy is None:
        return None
    judged = verdict.get("verdict") if paths.VERDICT in own else None
    return Tested(accuracy, _number(scores, "macro_f1"), _interval(repo, accuracy), judged)


def _cost(figures: Mapping[str, Any]) -> Cost:
    device = figures.get("device")
    numbers = {one.name: _number(figures, one.name) for one in fields(Cost) if one.name != "device"}
    return Cost(device=None if device is None else str(device), **numbers)


def _number(figures: Mapping[str, Any], name: str) -> float | None:
    figure = figures.get(name)
    return figure if isinstance(figure, int | float) and not isinstance(figure, bool) else None


def _interval(repo: Repo, accuracy: float) -> tuple[float, float] | None:
    """Return the interval of the accuracy out of the evaluation, which is an output and not among the metrics."""
    try:
        estimate = json.loads(repo.dvcfs.read_text(str(paths.EVALUATION)))["whole"]["accuracy"]
        return (estimate["low"], estimate["high"]) if abs(estimate["value"] - accuracy) < 1e-6 else None
    except Exception:  # a cache or a remote that lacks it fails in its own way, each of them
        return None


def _curves(repo: Repo) -> tuple[Curve, ...]:
    """Return the curves of the training; none where neither cache nor remote has them."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            here = Path(folder) / "plots" / "metrics"
            here.parent.mkdir()
            repo.dvcfs.get(str(paths.HISTORY / "plots" / "metrics"), str(here), recursive=True)
            return tuple(read_history(Path(folder)))
        except Exception:  # see above
            return ()


def _synthetic(repo: Repo, verdict: Mapping[str, Any]) -> bool:
    """Return whether the faces are drawn: as their provenance says, or else the gate."""
    try:
        return bool(json.loads(repo.dvcfs.read_text(str(paths.PROVENANCE)))["synthetic"])
    except Exception:  # see above
        return bool(verdict.get("synthetic", False))
