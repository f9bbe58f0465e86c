"""A sweep: the runs that one file of `sweeps/` asks for, checked before anything runs."""

import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flows.sweep.lines import Steps, doubled, find, line_of
from tasks.common.errors import UserError
from tasks.common.reading import changed, check_params, parse

SWEEPS: Final = Path("sweeps")

Value = str | bool | int | float | None | list[int]
Settings = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listed(_Part):
    """One run by its name."""

    name: Name
    set: dict[str, Value] = {}
    published: dict[Literal["accuracy", "macro_f1", "weighted_f1"], float] = {}
    """What somebody else measured with these parameters, on the test faces."""


class Interval(_Part):
    """A range of numbers to search; of whole numbers where both ends are whole."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must lie below high")
        if self.log and self.low <= 0:
            raise ValueError("with log, low must lie above 0")
        return self


class Search(_Part):
    """A space that Optuna searches for the best validation accuracy."""

    trials: Annotated[int, Field(ge=1)]
    space: Annotated[dict[str, Interval | Annotated[list[Value], Field(min_length=1)]], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 42
    """Of the sampler."""
    startup: Annotated[int, Field(ge=1)] = 5
    """Trials that are drawn at random, and never stopped early, before TPE and the pruner have something to go by."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Epochs that each trial may take before the pruner compares it with the others."""


class Sweep(_Part):
    """A file of `sweeps/`: runs by name, or a grid, or a search."""

    description: str = ""
    score: Literal["all", "chosen", "none"] = "chosen"
    """Whose network sees the test faces: that of each run, the chosen one's alone, or nobody's."""
    seeds: Annotated[int, Field(ge=1)] = 1
    """How often each configuration is run, each time with another `train.seed`."""
    set: dict[str, Value] = {}
    """Parameters of every run."""
    runs: list[Listed] | None = None
    grid: dict[str, Annotated[list[Value], Field(min_length=1)]] | None = None
    search: Search | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("runs", "grid", "search") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of runs, grid and search, found {' and '.join(given) or 'none'}")
        if not getattr(self, given[0]):
            raise ValueError(f"{given[0]} is empty: there is nothing to run")
        if self.search and self.seeds > 1:
            raise ValueError("seeds go with runs and grid; put the best of a search into a list of runs to repeat it")
        return self


@dataclass(frozen=True)
class Planned:
    """One run that is to be made.

    Attributes:
        name: of its DVC experiment.
        settings: its parameters, by name, where they are not those of `params.yaml`.
        group: what it is called without its seed.
        place: where the sweep's file asks for it, as steps into the YAML.
    """

    name: str
    settings: Settings
    group: str
    place: Steps

    @property
    def overrides(self) -> list[str]:
        """The same in the syntax of `dvc exp run -S`."""
        return overrides(self.settings)


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Return settings in the syntax of `dvc exp run -S`."""
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items()]


def path_of(name: str) -> Path:
    """Return the file of a sweep.

    Raises:
        UserError: there is none; the sentence has the nearest name.
    """
    path = SWEEPS / f"{name}.yaml"
    if not path.exists():
        known = sorted(one.stem for one in SWEEPS.glob("*.yaml"))
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
        raise UserError(f"{path}: no such file; {hint}")
    return path


def read_sweep(path: Path) -> Sweep:
    """Read a sweep.

    Raises:
        UserError: it is no YAML, or something in it is unknown, missing or wrong; with the line.
    """
    text = path.read_text(encoding="utf-8")
    try:
        values = parse(text)
        twice = doubled(yaml.compose(text))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if twice:
        raise UserError(f"{path}, line {twice.start_mark.line + 1}: {twice.value} is there twice")
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected runs, grid or search, found {'nothing' if values is None else repr(values)}")
    try:
        return Sweep.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise UserError(f"{path}, line {line_of(text, fault['loc'])}: {_sentence(fault)}") from error


def plan(path: Path, sweep: Sweep, params: Settings) -> list[Planned]:
    """Return the runs of a list or a grid, each checked against the typed parameters.

    Args:
        path: of the sweep's file.
        sweep: what it says.
        params: the content of `params.yaml`, which the runs change.

    Raises:
        UserError: two have one name, or a parameter is unknown or its value out of range; with the line.
    """
    planned = [seeded for one in _single(path, sweep) for seeded in _seeded(one, sweep.seeds)]
    seen: set[str] = set()
    for one in planned:
        if one.name in seen:
            line = line_of(path.read_text(encoding="utf-8"), one.place)
            raise UserError(f"{path}, line {line}: two runs are called {one.name}; give each a name of its own")
        seen.add(one.name)
        check(path, one.place, params, one.settings)
    return planned


def check_search(path: Path, sweep: Sweep, search: Search, params: Settings) -> None:
    """Check both ends, or every choice, of each parameter of a search.

    Raises:
        UserError: a parameter is unknown or a value out of range; with the line.
    """
    for name, values in search.space.items():
        for value in [values.low, values.high] if isinstance(values, Interval) else values:
            check(path, ("search", "space", name), params, {**sweep.set, name: value})


def check(path: Path, place: Steps, params: Settings, settings: Settings) -> None:
    """Check the parameters of one run; `place` is where the sweep's file asks for it.

    Raises:
        UserError: a parameter is unknown or its value out of range; with the line.
    """
    try:
        check_params(changed(params, settings), "")
    except UserError as error:
        sentence = str(error).removeprefix(": ")
        said = sentence.split()[0].rstrip(":")  # a parameter, a part of its value, or its section
        name = next((one for one in settings if f"{said}.".startswith(f"{one}.") or one.startswith(f"{said}.")), "")
        text = path.read_text(encoding="utf-8")
        places = ((*place, "set", name), ("grid", name), ("search", "space", name), ("set", name), place)
        line = next(line for one in places if (line := find(text, one)))
        raise UserError(f"{path}, line {line}: {sentence}") from error


def _single(path: Path, sweep: Sweep) -> Iterator[Planned]:
    for index, run in enumerate(sweep.runs or []):
        name = f"{path.stem}-{run.name}"
        yield Planned(name, {**sweep.set, **run.set}, name, ("runs", index))
    for values in itertools.product(*sweep.grid.values()) if sweep.grid else ():
        point = dict(zip(sweep.grid or {}, values, strict=True))
        name = f"{path.stem}-{_called(point)}"
        yield Planned(name, {**sweep.set, **point}, name, ("grid",))


def _seeded(one: Planned, seeds: int) -> list[Planned]:
    if seeds == 1:
        return [one]
    return [
        replace(one, name=f"{one.name}-s{seed}", settings={**one.settings, "train.seed": seed})
        for seed in range(1, seeds + 1)
    ]


def _called(point: Mapping[str, Any]) -> str:
    """Name a point of a grid by its values: letters, digits, - and _ alone, as experiments are called."""
    said = (f"{name.rpartition('.')[2]}-{json.dumps(value)}" for name, value in point.items())
    return "-".join(re.sub(r"[^A-Za-z0-9-]+", "_", one).strip("_").replace("-_", "-") for one in said)


def _sentence(fault: Any) -> str:
    name = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = list(Listed.model_fields if "runs" in fault["loc"] else Sweep.model_fields)
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1, cutoff=0.5)
        return f"{name} is not known; " + (
            f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        )
    if fault["type"] == "missing":
        return f"{name} is missing"
    message = fault["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{name}: found {fault['input']!r}; {message}" if name and fault["type"] != "value_error" else message
