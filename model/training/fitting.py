"""Training a network: epoch after epoch, the best weights kept, resumable after each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from model.labels import LABELS
from model.training.augmentation import Augmentation
from model.training.backup import Backup, Epoch, Progress
from model.training.batches import Batches, Labelled, label_weights
from model.training.cost import Spent
from model.training.losses import CROSSENTROPY, Objective
from model.training.optimizers import Recipe

_VALIDATED = 256
"""Faces to a forward pass of validation; it bounds the memory."""


class TrainingError(RuntimeError):
    """The training can't go on; the message says where it stood and what to change."""


@dataclass(frozen=True)
class Fitting:
    """How to fit; the fields are those of `train` in `params.yaml`."""

    recipe: Recipe
    epochs: int
    batch_size: int
    seed: int
    augment: Augmentation
    objective: Objective = CROSSENTROPY
    class_weights: Literal["none", "balanced", "effective"] = "none"
    class_beta: float = 0.0
    monitor: Literal["val_loss", "val_accuracy"] = "val_accuracy"
    patience: int = 0


@dataclass(frozen=True)
class Watch:
    """Whom to tell: `batch(epoch, faces seen in it, mean loss, mean accuracy)`, at its end `epoch(epoch, figures)`."""

    batch: Callable[[int, int, float, float], None] = lambda index, seen, loss, accuracy: None
    epoch: Callable[[int, Epoch], None] = lambda index, figures: None


def fit(
    network: keras.Model,
    train: Labelled,
    validation: Labelled,
    fitting: Fitting,
    *,
    backup: Backup | None = None,
    watch: Watch = Watch(),
) -> Progress:
    """Train `network`, which gives logits, and leave it with the weights of its best epoch.

    Args:
        network: a model of `model.networks.build`; it is compiled here.
        train: faces that are shuffled and augmented.
        validation: faces that choose the best epoch.
        fitting: the recipe.
        backup: what to go on from where it is there, and to write after each epoch.
        watch: whom to tell; of the epochs before a restart too.

    Returns:
        The whole history and which epoch was best.

    Raises:
        TrainingError: the loss is not a finite number.
    """
    _compile(network, fitting, steps=fitting.epochs * math.ceil(len(train) / fitting.batch_size))
    progress = _resume(network, backup, watch)
    weights = label_weights(fitting.class_weights, train.labels, fitting.class_beta)
    while len(progress.history) < fitting.epochs and not _is_over(progress, fitting):
        index = len(progress.history)
        seed = (fitting.seed, index)
        batches = Batches(train, fitting.batch_size, seed=seed, augment=fitting.augment, weights=weights)
        guard = _Guard(index, fitting.batch_size, len(train), watch)
        figures = _epoch(network, batches, validation, guard, progress.spent)
        _note(network, progress, figures, fitting)
        if backup:
            backup.save(network, progress)
        watch.epoch(index, figures)
    _restore_best(network, progress)
    return progress


def _resume(network: keras.Model, backup: Backup | None, watch: Watch) -> Progress:
    progress = backup.load(network) if backup else Progress()
    for index, figures in enumerate(progress.history):
        watch.epoch(index, figures)
    return progress


def _restore_best(network: keras.Model, progress: Progress) -> None:
    for variable, best in zip(network.variables, progress.best_weights, strict=True):
        variable.assign(best)


def _compile(network: keras.Model, fitting: Fitting, steps: int) -> None:
    network.compile(
        optimizer=fitting.recipe.build(steps),
        loss=fitting.objective.build(),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    network.optimizer.build(network.trainable_variables)  # so that a backup has where to go


def _epoch(network: keras.Model, batches: Batches, validation: Labelled, guard: "_Guard", spent: Spent) -> Epoch:
    with spent.on("training"):
        logs = network.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[guard]).history
    with spent.on("validation"):
        val_loss, val_accuracy = network.evaluate(Batches(validation, _VALIDATED), verbose=0)
    if not math.isfinite(val_loss):
        raise TrainingError(_diverged("validation loss", val_loss, f"after epoch {guard.index + 1}"))
    rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    return Epoch(float(logs["loss"][0]), float(logs["accuracy"][0]), float(val_loss), float(val_accuracy), rate)


def macro_f1(network: keras.Model, data: Labelled) -> float:
    """Return the mean of the labels' F1 of a network that `fit` left, 0 to 1.

    It is scikit-learn's `f1_score` over all seven labels with `zero_division=0`: one that is neither there nor
    predicted counts as 0.
    """
    predicted = network.predict(Batches(data, _VALIDATED), verbose=0).argmax(axis=1)
    classes = len(LABELS)
    confusion = np.bincount(data.labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * confusion.diagonal() / np.maximum(both, 1)).mean())


def _note(network: keras.Model, progress: Progress, figures: Epoch, fitting: Fitting) -> None:
    progress.history.append(figures)
    best = progress.best_epoch
    if best is None or _merit(figures, fitting) > _merit(progress.history[best], fitting):
        progress.best_epoch = len(progress.history) - 1
        progress.best_weights = [keras.ops.convert_to_numpy(variable).copy() for variable in network.variables]


def _merit(figures: Epoch, fitting: Fitting) -> float:
    return figures.val_accuracy if fitting.monitor == "val_accuracy" else -figures.val_loss


def _is_over(progress: Progress, fitting: Fitting) -> bool:
    if not fitting.patience or progress.best_epoch is None:
        return False
    return len(progress.history) - 1 - progress.best_epoch >= fitting.patience


def _diverged(what: str, value: float, where: str) -> str:
    return f"the {what} is {value} {where}: lower train.learning_rate, or turn train.mixed_precision off"


class _Guard(keras.callbacks.Callback):
    """Stops at a loss that is no number, and tells how far the epoch is."""

    def __init__(self, index: int, batch_size: int, faces: int, watch: Watch) -> None:
        super().__init__()
        self.index, self._batch_size, self._faces, self._watch = index, batch_size, faces, watch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss, accuracy = (float(np.asarray((logs or {})[name])) for name in ("loss", "accuracy"))
        if not math.isfinite(loss):
            raise TrainingError(_diverged("loss", loss, f"in epoch {self.index + 1} at batch {batch + 1}"))
        self._watch.batch(self.index, min((batch + 1) * self._batch_size, self._faces), loss, accuracy)
