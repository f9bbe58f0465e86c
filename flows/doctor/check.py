"""What a check says, and what the checks are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.reading import load_params

Outcome = Literal["pass", "warn", "fail"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: of what was looked at.
        outcome: `fail` where this machine can't train as it is, `warn` where it can but something is likely not meant.
        found: what is there, in words.
        mend: what to do, for `warn` and `fail`.
    """

    name: str
    outcome: Outcome
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class Need:
    """What the machine is wanted for: `device` is that of `params.yaml`, or `gpu` where one is required."""

    device: Literal["auto", "cpu", "gpu"]

    @property
    def without_gpu(self) -> Outcome:
        """What it means that a GPU can't be used."""
        return "fail" if self.device == "gpu" else "warn"


Examination = Callable[[Need], Check | list[Check]]


def read_need(*, require_gpu: bool) -> Need:
    """Return what `params.yaml` needs; where it is broken, which is a check of its own, the device is `auto`."""
    if require_gpu:
        return Need("gpu")
    try:
        return Need(load_params(paths.PARAMS).train.device)
    except UserError:
        return Need("auto")


def carry_out(name: str, examination: Examination, need: Need) -> list[Check]:
    """Return what an examination finds; one that raises has failed."""
    try:
        found = examination(need)
    except Exception as error:  # whatever it is: the other checks must still be made
        return [Check(name, "fail", f"{type(error).__name__}: {error}")]
    return found if isinstance(found, list) else [found]
