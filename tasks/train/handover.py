"""What a training on another machine leaves in a folder, for the repository to take in: see `tasks.train.take`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict

from model.training.backup import Epoch
from tasks.common.errors import UserError
from tasks.common.files import sha256, write_json, write_text
from tasks.common.records import read_record

MODEL: Final = Path("model.keras")
HISTORY: Final = Path("history.csv")
PARAMS: Final = Path("params.yaml")
METRICS: Final = Path("metrics.json")


Number = Annotated[int | float, AllowInfNan(False)]


def _having(*names: str) -> AfterValidator:
    """Return what refuses a mapping that lacks one of these names."""

    def check(values: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in names if name not in values]:
            raise ValueError(f"found no {', '.join(missing)}")
        return values

    return AfterValidator(check)


class Run(BaseModel):
    """The content of `metrics.json`.

    Attributes:
        identity: of `tasks.train.learning.identity`.
        model_sha256: of `model.keras`.
        history_sha256: of `history.csv`.
        training: the content of `metrics/training.json`.
        cost: the content of `metrics/cost.json`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: dict[str, str]
    model_sha256: str
    history_sha256: str
    training: Annotated[dict[str, Number], _having("epochs", "best_epoch", "val_loss", "val_accuracy", "val_macro_f1")]
    cost: Annotated[dict[str, Number | str], _having("device", "seconds")]


def write_run(
    folder: Path, identity: Mapping[str, str], training: Mapping[str, float], cost: Mapping[str, float | str]
) -> None:
    """Write `metrics.json` beside a network and a history that are there: the last file, it says that all is whole."""
    hashes = {"model_sha256": sha256(folder / MODEL), "history_sha256": sha256(folder / HISTORY)}
    run = Run(identity=dict(identity), **hashes, training=dict(training), cost=dict(cost))
    write_json(folder / METRICS, run.model_dump())


def read_run(folder: Path) -> Run:
    """Read what `write_run` wrote.

    Raises:
        UserError: a file is missing, or is not what was written.
    """
    files = (METRICS, MODEL, HISTORY, PARAMS)
    if missing := [str(name) for name in files if not (folder / name).is_file()]:
        raise UserError(f"{folder}: found no {', '.join(missing)}; name a folder that `python -m bench.gpu` has filled")
    run = read_record(Run, folder / METRICS, "a training's figures", "copy the folder again")
    for name, what, written in ((MODEL, "network", run.model_sha256), (HISTORY, "history", run.history_sha256)):
        if sha256(folder / name) != written:
            raise UserError(f"{folder / name}: not the {what} that {METRICS} was written for; copy the folder again")
    return run


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write `history.csv`: one line an epoch, with a column for each field of `Epoch`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    write_text(folder / HISTORY, text.getvalue())


def read_history(folder: Path) -> list[Epoch]:
    """Read what `write_history` wrote.

    Raises:
        UserError: it is no such file.
    """
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        try:
            return [_epoch(row) for row in csv.DictReader(file)]
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{folder / HISTORY}: no history of epochs ({error}); copy the folder again") from error


def _epoch(row: Mapping[str, str]) -> Epoch:
    return Epoch(
        loss=float(row["loss"]),
        accuracy=float(row["accuracy"]),
        val_loss=float(row["val_loss"]),
        val_accuracy=float(row["val_accuracy"]),
        learning_rate=float(row["learning_rate"]),
        side=int(row["side"]),
    )


def check_identity(folder: Path, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Check that a training is the one that a workspace asks for; Keras and its backend may be others.

    Raises:
        UserError: it is another.
    """
    mends = {
        "parameters": f"set model, train and augment as {folder / PARAMS} has them",
        "faces": "ingest the data that it was trained on",
        "split": "make the split that it was trained on",
        "code": "check out the commit that it was trained with",
    }
    for what, mend in mends.items():
        if theirs.get(what) != ours[what]:
            raise UserError(f"{folder}: trained with other {what} than lie here; {mend}")
