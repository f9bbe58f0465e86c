"""What is known of an evaluated network: written by `evaluate`, read by report and gate."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.common.files import write_json
from tasks.common.records import read_record
from tasks.scoring.scores import HEADLINES, Scores

_DIGITS = 6  # more would be the noise of the order of summation


class Cost(BaseModel):
    """What the network takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: int
    model_bytes: int
    ms_per_face: float
    """Median time of a forward pass of one face on the machine that evaluated: the one figure that no seed repeats."""


class Part(BaseModel):
    """Some of the test faces: how many, and how many of them the network names right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faces: int
    right: int

    def __str__(self) -> str:
        return f"{self.right / self.faces:.3f} of {self.faces:,}" if self.faces else "none"


class Evaluation(BaseModel):
    """Scores on the test subset, on the part of it that has no copy in training, and the cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    synthetic: bool
    """True for drawn faces: the scores say nothing of FER2013."""
    leaks: dict[str, Part]
    """The test faces by the copy that they have in the training subset, by the names of `tasks.common.tables.LEAKS`."""
    whole: Scores
    without_leaks: Scores | None
    """None where every test face has a copy in training."""
    cost: Cost


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write everything as JSON, figures to six digits."""
    write_json(path, json.loads(evaluation.model_dump_json(), parse_float=lambda figure: round(float(figure), _DIGITS)))


def read_evaluation(path: Path) -> Evaluation:
    """Read what `write_evaluation` wrote.

    Raises:
        UserError: the file is missing or is not an evaluation.
    """
    return read_record(Evaluation, path, "an evaluation", "run `dvc repro evaluate`")


def write_headlines(path: Path, evaluation: Evaluation) -> None:
    """Write the few figures that `dvc metrics` and `dvc exp show` list, to six digits."""
    figures: dict[str, float | None] = {name: getattr(evaluation.whole, name).value for name in HEADLINES}
    clean = evaluation.without_leaks
    figures["accuracy_without_leaks"] = clean.accuracy.value if clean else None
    write_json(path, {name: None if figure is None else round(figure, _DIGITS) for name, figure in figures.items()})
