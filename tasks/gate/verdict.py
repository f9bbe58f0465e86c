"""What the gate says: checks, and the verdict that follows from them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from tasks.common.files import write_json
from tasks.common.records import read_record

Outcome = Literal["pass", "fail", "inconclusive", "warning", "not applicable"]
Decision = Literal["promote", "reject", "inconclusive", "not comparable"]

EXIT_STATUS: Final[dict[Decision, int]] = {"promote": 0, "reject": 2, "inconclusive": 3, "not comparable": 4}
"""Of `python -m tasks.gate --enforce`; 1 is a user error, as in every step."""

SYNTHETIC: Final = "These are drawn faces: the scores say nothing of FER2013, or of people."


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_Frozen):
    """One thing that was looked at."""

    name: str
    outcome: Outcome
    """`warning` and `not applicable` don't stand in the way of a promotion; `inconclusive` does."""
    figure: float | None = None
    threshold: float | None = None
    """What the figure was held against."""
    sentence: str


class Hash(_Frozen):
    """The SHA-256 of one thing that the verdict speaks of."""

    of: Literal["model", "predictions", "data", "split", "baseline"]
    """`data` is the fingerprint of the faces (`Faces.fingerprint`); the others are hashes of files."""
    sha256: str


class Verdict(_Frozen):
    """The content of `metrics/verdict.json`.

    DVC makes a column of every scalar that it finds in nested mappings, and none of what stands in lists. Hence the
    lists: `dvc exp show` has the first three fields alone.
    """

    verdict: Decision
    baseline_name: str | None
    """Of the baseline compared with; None where none fits. `baseline` is a column already: what the gate depends on."""
    synthetic: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    hashes: tuple[Hash, ...]


def decide(checks: Sequence[Check]) -> Decision:
    """Return the verdict on a candidate that was compared with a matching baseline."""
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "reject"
    return "inconclusive" if "inconclusive" in outcomes else "promote"


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write as JSON, figures to six digits; equal verdicts give equal bytes."""
    write_json(path, json.loads(verdict.model_dump_json(), parse_float=lambda figure: float(f"{float(figure):.6g}")))


def read_verdict(path: Path) -> Verdict:
    """Read what `write_verdict` wrote.

    Raises:
        UserError: the file is missing or is not a verdict.
    """
    return read_record(Verdict, path, "a verdict", "run `dvc repro gate`")
