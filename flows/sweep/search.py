"""A search for the best validation accuracy: Optuna proposes, a pruner ends what is hopeless, a file remembers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from flows.sweep.attempt import StopRunError
from flows.sweep.definition import Search
from tasks.common.files import replacing

STUDIES: Final = Path(".dvc/tmp/studies")

_EPOCH: Final = re.compile(r"\bepoch (\d+)/\d+: .*\bval_accuracy (\d\.\d+)")


class PrunedError(StopRunError):
    """The trial was hopeless."""


def open_study(root: Path, name: str, search: Search) -> optuna.Study:
    """Return the study of a sweep: a new one, or the one that an earlier process left.

    TPE: Bergstra et al. 2011. The pruner ends a trial whose best epoch so far lies below the median of the others at
    that epoch (Golovin et al. 2017, "Google Vizier").
    """
    journal = _journal(root, name)
    journal.parent.mkdir(parents=True, exist_ok=True)
    return _open(journal, name, search)


def finished(root: Path, name: str) -> list[FrozenTrial]:
    """Return the trials of a sweep that came to their end."""
    journal = _journal(root, name)
    if not journal.exists():
        return []
    study = optuna.load_study(study_name=name, storage=_storage(journal))
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])


def repeat(root: Path, name: str, search: Search) -> optuna.Study:
    """Begin a study anew, whose first trials have the parameters of all that it has had."""
    had = [one.params for one in open_study(root, name, search).get_trials(deepcopy=False) if one.params]
    with replacing(_journal(root, name)) as beside:
        anew = _open(beside, name, search)
        for params in had:
            anew.enqueue_trial(params)
    return open_study(root, name, search)


def _journal(root: Path, name: str) -> Path:
    return root / STUDIES / f"{name}.journal"


def _storage(journal: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(journal)))


def _open(journal: Path, name: str, search: Search) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=name,
        storage=_storage(journal),
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(search.startup, n_warmup_steps=search.patience),
        load_if_exists=True,
    )
    # A sampler begins its random numbers anew with each process: it must not propose the first trials again.
    study.sampler = TPESampler(n_startup_trials=search.startup, seed=search.seed + len(study.get_trials()))
    return study


def trials(study: optuna.Study, search: Search) -> list[Trial | None]:
    """Return what is left to try: trials that a killed process left, and None for each that is still to be asked."""
    known = study.get_trials(deepcopy=False)
    left: list[Trial | None] = [Trial(study, one._trial_id) for one in known if one.state is TrialState.RUNNING]
    begun = [one for one in known if one.state is not TrialState.WAITING]  # those are what asking gives first
    return left + [None] * max(0, search.trials - len(begun))


def propose(trial: Trial, search: Search) -> dict[str, Any]:
    """Return the parameters of a trial: proposed now, or those that it has had before."""
    for name, values in search.space.items():
        if isinstance(values, list):
            trial.suggest_categorical(name, list(range(len(values))))
        elif isinstance(values.low, int) and isinstance(values.high, int):
            trial.suggest_int(name, values.low, values.high, log=values.log)
        else:
            trial.suggest_float(name, values.low, values.high, log=values.log)
    return settings_of(trial, search)


def settings_of(trial: Trial | FrozenTrial, search: Search) -> dict[str, Any]:
    """Return the parameters of a trial that has them; a choice is kept by its place, for it may be a list."""
    choices = {name: values for name, values in search.space.items() if isinstance(values, list)}
    return {name: choices[name][value] if name in choices else value for name, value in trial.params.items()}


def best(study: optuna.Study) -> FrozenTrial | None:
    """Return the trial of the highest validation accuracy; None where none came to its end."""
    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return max(ended, key=lambda one: one.value or 0.0, default=None)


def reporting(trial: Trial, hear: Callable[[str], None]) -> Callable[[str], None]:
    """Return a listener that tells the study each epoch, and ends a run that the pruner finds hopeless."""
    told = {int(step) for step in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values}

    def listen(line: str) -> None:
        hear(line)
        found = _EPOCH.search(line)
        if not found:
            return
        epoch = int(found[1])
        if epoch not in told:
            told.add(epoch)
            trial.report(float(found[2]), epoch)
        if trial.should_prune():
            raise PrunedError(f"stopped after epoch {epoch}: at {float(found[2]):.3f} it is below the others' median")

    return listen
