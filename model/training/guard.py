"""What looks on while an epoch is trained: who is told how far it is, and what stops it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from model.heap import keep_freed_memory
from model.training.backup import Epoch


class TrainingError(RuntimeError):
    """The training can't go on; the message says where it stood and what to change."""


@dataclass(frozen=True)
class Watch:
    """Whom to tell: `batch(epoch, faces seen in it, mean loss, mean accuracy)`, at its end `epoch(epoch, figures)`."""

    batch: Callable[[int, int, float, float], None] = lambda index, seen, loss, accuracy: None
    epoch: Callable[[int, Epoch], None] = lambda index, figures: None


QUIET: Final = Watch()
"""Nobody is told."""


def diverged(what: str, value: float, where: str) -> TrainingError:
    """Return the error of a loss that is no finite number."""
    return TrainingError(f"the {what} is {value} {where}: lower train.learning_rate, or turn train.mixed_precision off")


class Guard(keras.callbacks.Callback):
    """Stops at a loss that is no number, tells how far the epoch is, and keeps the weights that are not averaged."""

    def __init__(self, index: int, watch: Watch, *, faces: int, batch_size: int, averaged: bool) -> None:
        """Look on at the epoch `index`, of so many faces; `averaged` says that the optimizer averages the weights."""
        super().__init__()
        self.index, self._watch = index, watch
        self._faces, self._batch_size, self._averaged = faces, batch_size, averaged
        self._started = False
        self.raw: list[np.ndarray] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the means so far; it comes once a call, whose last batch is `batch`."""
        if not self._started:
            keep_freed_memory()  # in each epoch: what undoes it comes with the epoch's batches
            self._started = True
        loss, accuracy = (float(np.asarray((logs or {})[name])) for name in ("loss", "accuracy"))
        if not math.isfinite(loss):
            raise diverged("loss", loss, f"in epoch {self.index + 1} at batch {batch + 1}")
        self._watch.batch(self.index, min((batch + 1) * self._batch_size, self._faces), loss, accuracy)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights: next, `fit` puts their moving average in their place, and training goes on from these."""
        if self._averaged:
            self.raw = values(self.model.trainable_variables)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Copy the averaged weights: Keras lets weights and averages share arrays, and JAX would free one twice."""
        if self._averaged:
            assign(self.model.trainable_variables, values(self.model.trainable_variables))


def assign(variables: list[keras.Variable], arrays: list[np.ndarray]) -> None:
    """Give each variable its array."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def values(variables: list[keras.Variable]) -> list[np.ndarray]:
    """Return copies of what the variables hold."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
