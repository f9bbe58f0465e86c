"""What a killed training goes on from: one file, written after each epoch, that is whole or not there."""

import json
import os
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from model.training.cost import Spent


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch: mean loss and accuracy on training batches as seen, and on the validation faces.

    Both had faces of `side` pixels' height and width. With soft targets, the label that counts as right in training is
    the likeliest one of the target.
    """

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    side: int

    def __str__(self) -> str:
        return (
            f"loss {self.loss:.4f} accuracy {self.accuracy:.4f} "
            f"val_loss {self.val_loss:.4f} val_accuracy {self.val_accuracy:.4f}"
        )


@dataclass
class Progress:
    """How far a training is, but for its variables: those are in the network and the optimizer.

    Attributes:
        history: one entry an epoch that is done.
        best_epoch: index of the best one on whole faces so far, or None before the first.
        best_weights: every variable of the network as it was then.
        spent: the time that it took.
    """

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    best_weights: list[np.ndarray] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)


class BackupError(RuntimeError):
    """The file that a training would go on from is damaged; the message says which, and what to do."""


class Backup:
    """The file that a training is resumed from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, network: keras.Model, progress: Progress) -> None:
        """Write network, optimizer, random state and progress; the old file stays until this one is whole."""
        arrays = {f"variable_{i}": array for i, array in enumerate(variables(network))}
        arrays |= {f"best_{i}": array for i, array in enumerate(progress.best_weights)}
        history = [asdict(epoch) for epoch in progress.history]
        note = {"history": history, "best_epoch": progress.best_epoch, "spent": asdict(progress.spent)}
        arrays["note"] = np.frombuffer(json.dumps(note).encode(), np.uint8)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        with beside.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def load(self, network: keras.Model) -> Progress:
        """Set the variables of `network` and its optimizer, and return the progress: a new one without a file.

        Raises:
            BackupError: the file is not what `save` wrote for such a network; nothing is set then.
        """
        if not self.path.exists():
            return Progress()
        targets = _variables(network)
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                note = json.loads(saved["note"].tobytes())
                values = [_shaped(saved[f"variable_{i}"], variable) for i, variable in enumerate(targets)]
                bests = 0 if note["best_epoch"] is None else len(network.variables)
                best = [saved[f"best_{i}"] for i in range(bests)]
            history = [Epoch(**epoch) for epoch in note["history"]]
            progress = Progress(history, note["best_epoch"], best, Spent(**note["spent"]))
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BackupError(f"{self.path}: damaged ({reason}); remove it, and the training starts anew") from error
        for variable, value in zip(targets, values, strict=True):
            variable.assign(value)
        return progress


def _shaped(value: np.ndarray, variable: keras.Variable) -> np.ndarray:
    if value.shape != tuple(variable.shape):
        raise ValueError(f"{variable.path} has the shape {value.shape}, not {tuple(variable.shape)}")
    return value


def variables(network: keras.Model) -> list[np.ndarray]:
    """Return copies of every variable of a compiled network and its optimizer, random state included."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in _variables(network)]


def _variables(network: keras.Model) -> list[keras.Variable]:
    return [*network.variables, *network.optimizer.variables]
