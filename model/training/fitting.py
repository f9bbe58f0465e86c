"""Training a network: epoch after epoch, the best weights kept, resumable after each."""

import contextlib
import gc
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import keras
import numpy as np

from model.kernels import skip_gradient_sum
from model.labels import LABELS
from model.networks import at_side
from model.training.augmentation import Augmentation
from model.training.backup import Backup, BackupError, Epoch, Progress
from model.training.batches import Batches, Labelled, label_weights
from model.training.cost import Spent
from model.training.ghosts import with_ghost_batches
from model.training.growth import WHOLE, Growth
from model.training.guard import QUIET, Guard, TrainingError, Watch, assign, diverged, values
from model.training.losses import CROSSENTROPY, Objective
from model.training.normalizing import with_fused_normalization
from model.training.optimizers import Recipe
from model.training.voting import WithVotes, label_accuracy, with_votes

NORMALIZED: Final = 2
"""Fewest faces that are normalized together: of one alone, batch normalization after a dense layer makes a constant."""

_VALIDATED = 256
"""Faces to a forward pass of validation; it bounds the memory."""


@dataclass(frozen=True)
class Fitting:
    """How to fit; the fields are those of `train` in `params.yaml`."""

    recipe: Recipe
    epochs: int
    batch_size: int
    seed: int
    augment: Augmentation
    ghost_batch: int | None = None
    steps_per_execution: int = 1
    growth: Growth = WHOLE
    objective: Objective = CROSSENTROPY
    class_weights: Literal["none", "balanced", "effective"] = "none"
    class_beta: float = 0.0
    vote_weight: float = 0.0
    monitor: Literal["val_loss", "val_accuracy"] = "val_accuracy"
    patience: int = 0

    def parts(self, devices: int = 1) -> int:
        """Return in how many parts a batch is normalized on each device; several devices have one each as it is."""
        return 1 if devices > 1 or not self.ghost_batch else max(1, self.batch_size // self.ghost_batch)


def fit(
    network: keras.Model,
    train: Labelled,
    validation: Labelled,
    fitting: Fitting,
    *,
    backup: Backup | None = None,
    watch: Watch = QUIET,
    devices: int = 1,
) -> Progress:
    """Train `network`, which gives logits, leave it with the weights of its best epoch, and return the whole history.

    Args:
        network: a model of `model.networks.build`.
        train: shuffled and augmented; where it has votes, a second output learns them and is then left out.
        validation: faces that choose the best epoch.
        fitting: the recipe.
        backup: what to go on from where it is there, and to write after each epoch.
        watch: whom to tell; of the epochs before a restart too.
        devices: how many share each batch; faces that can't be shared evenly wait for another epoch.

    Raises:
        TrainingError: the loss is not a finite number, the devices or parts can't share a batch, the faces start too
            small, the backend takes one batch a call, or the backup is damaged.
    """
    feed = _Feed(train, validation, fitting, network.input_shape[1], devices)
    network = network if train.votes is None else with_votes(network, train.votes.shape[1])
    learners = _Learners(network, fitting, fitting.epochs * len(feed.training(0)), fitting.parts(devices))
    progress, averaged = _resume(learners.whole, backup, watch), fitting.recipe.ema > 0
    while (index := len(progress.history)) < fitting.epochs and not _is_over(progress, fitting):
        guard = Guard(index, watch, faces=len(train), batch_size=fitting.batch_size, averaged=averaged)
        figures = _epoch(learners, feed, guard, progress.spent)
        _note(network, progress, figures, fitting)
        if averaged:
            assign(network.trainable_variables, guard.raw)
        if backup:
            backup.save(learners.whole, progress)
        watch.epoch(index, figures)
    assign(network.variables, progress.best_weights)
    return progress


class _Feed:
    """The batches of each epoch, of the size that the faces have in it, and such that no device or part gets none."""

    def __init__(self, train: Labelled, validation: Labelled, fitting: Fitting, side: int, devices: int) -> None:
        if fitting.batch_size % devices:
            raise TrainingError(
                f"{devices} devices can't share batches of {fitting.batch_size} faces evenly: change train.batch_size"
            )
        self._train, self._validation, self._fitting = train, validation, fitting
        self._side, self._devices, self._shares = side, devices, max(devices, fitting.parts(devices))
        for what, faces, each in (("training", train, NORMALIZED), ("validation", validation, 1)):
            if len(faces) < each * self._shares:
                raise TrainingError(
                    f"{len(faces)} {what} faces are too few for {self._shares} devices or parts of a batch, {each} "
                    "for each: bring more of them, or use fewer devices or a larger train.ghost_batch"
                )
        self._weights = label_weights(fitting.class_weights, train.labels, fitting.class_beta)

    def training(self, epoch: int) -> Batches:
        """Return shuffled and augmented ones."""
        fitting = self._fitting
        return Batches(
            self._train,
            fitting.batch_size,
            seed=(fitting.seed, epoch),
            augment=fitting.augment,
            weights=self._weights,
            side=fitting.growth.side(epoch, fitting.epochs, self._side),
            count=self._count(),
        )

    def _count(self) -> int:
        """Return how many faces an epoch has: a last batch has as many for each device, and enough for each part."""
        faces = len(self._train)
        rest = faces % self._fitting.batch_size
        return faces - (rest % self._devices if rest >= NORMALIZED * self._shares else rest)

    def validation(self, side: int) -> Batches:
        """Return those of all validation faces, in their order."""
        return Batches(self._validation, _size(len(self._validation), self._shares), side=side)


def _size(faces: int, shares: int) -> int:
    """Return a batch size with which each batch of so many faces has at least one for each share, evenly but the last.

    Keras fails where a device gets none.
    """
    sizes = range(min(_VALIDATED, faces) // shares * shares, 0, -shares)
    return next((size for size in sizes if faces % size == 0 or faces % size >= shares), faces)


class _Learners:
    """The network, compiled for each size that the faces will have; all share its weights and the optimizer."""

    def __init__(self, network: keras.Model, fitting: Fitting, steps: int, parts: int) -> None:
        if fitting.steps_per_execution > 1 and keras.backend.backend() == "torch":
            raise TrainingError("PyTorch takes one batch a call: set train.steps_per_execution to 1")
        optimizer, whole = skip_gradient_sum(fitting.recipe.build(steps)), network.input_shape[1]
        if keras.config.dtype_policy().name == "mixed_float16":  # Keras would scale the loss of each size on its own
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        sides = {fitting.growth.side(epoch, fitting.epochs, whole) for epoch in range(fitting.epochs)}
        self._compiled = {
            side: with_ghost_batches(with_fused_normalization(sized(network, side)), parts)
            for side in sorted({*sides, whole})
        }
        self.whole = self._compiled[whole]
        for learner in self._compiled.values():
            accuracy = keras.metrics.MeanMetricWrapper(label_accuracy, name="accuracy")
            loss = WithVotes(fitting.objective.build(), fitting.vote_weight)
            learner.compile(optimizer, loss, metrics=[accuracy], steps_per_execution=fitting.steps_per_execution)
        optimizer.build(network.trainable_variables)  # so that a backup has where to go

    def of(self, side: int) -> keras.Model:
        """Return what learns from faces uint8 [n, side, side]; what learnt from smaller ones is let go."""
        outgrown = [smaller for smaller in self._compiled if smaller < side]
        for smaller in outgrown:
            del self._compiled[smaller]
        if outgrown:
            gc.collect()
        return self._compiled[side]


def sized(network: keras.Model, side: int) -> keras.Model:
    """Return the network for faces of another size, as `at_side`; one that is too small is a TrainingError."""
    try:
        return at_side(network, side)
    except ValueError as error:
        raise TrainingError(
            f"{network.name} can't take faces of {side} × {side} pixels: raise train.start_side, or set it to null"
        ) from error


def _resume(network: keras.Model, backup: Backup | None, watch: Watch) -> Progress:
    try:
        progress = backup.load(network) if backup else Progress()
    except BackupError as error:
        raise TrainingError(str(error)) from error
    for index, figures in enumerate(progress.history):
        watch.epoch(index, figures)
    return progress


def _epoch(learners: _Learners, feed: _Feed, guard: Guard, spent: Spent) -> Epoch:
    train = feed.training(guard.index)
    validation, learner = feed.validation(train.side), learners.of(train.side)
    _level(learner, train, validation)
    with spent.on("training"):
        logs = learner.fit(train, epochs=1, verbose=0, shuffle=False, callbacks=[guard]).history
    with spent.on("validation"), _undivided():
        val_loss, val_accuracy = learner.evaluate(validation, verbose=0)
    if not math.isfinite(val_loss):
        raise diverged("validation loss", val_loss, f"after epoch {guard.index + 1}")
    rate = float(keras.ops.convert_to_numpy(learner.optimizer.learning_rate))
    loss, accuracy = float(logs["loss"][0]), float(logs["accuracy"][0])
    return Epoch(loss, accuracy, float(val_loss), float(val_accuracy), rate, train.side)


def _level(learner: keras.Model, train: Batches, validation: Batches) -> None:
    """Make an epoch the same whether the process made those before it or not, which TensorFlow does by itself.

    Keras draws a batch of the epoch to build metrics that aren't; on JAX and PyTorch it then comes last, so that
    another one is shown before. PyTorch's dropout follows the process's random numbers, not the network's.
    """
    if keras.backend.backend() != "tensorflow":
        with _undivided():
            learner.test_on_batch(*validation[0])
    if keras.backend.backend() == "torch":
        keras.utils.set_random_seed(int(np.random.SeedSequence(train.seed).generate_state(1)[0]))


@contextlib.contextmanager
def _undivided() -> Iterator[None]:
    """Have each device take whole batches: JAX divides only those whose faces are a multiple of the devices."""
    spread = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(spread)


def macro_f1(network: keras.Model, data: Labelled, shares: int = 1) -> float:
    """Return the mean of the labels' F1 of a network that `fit` left, 0 to 1; so many devices or parts share a batch.

    It is scikit-learn's `f1_score` over all seven labels with `zero_division=0`: one that is neither there nor
    predicted counts as 0.
    """
    with _undivided():
        predicted = network.predict(Batches(data, _size(len(data), shares)), verbose=0).argmax(axis=1)
    classes = len(LABELS)
    confusion = np.bincount(data.labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * confusion.diagonal() / np.maximum(both, 1)).mean())


def _note(network: keras.Model, progress: Progress, figures: Epoch, fitting: Fitting) -> None:
    progress.history.append(figures)
    if figures.side != network.input_shape[1]:
        return  # what it makes of small faces says little of whole ones
    best = progress.best_epoch
    if best is None or _merit(figures, fitting) > _merit(progress.history[best], fitting):
        progress.best_epoch = len(progress.history) - 1
        progress.best_weights = values(network.variables)


def _merit(figures: Epoch, fitting: Fitting) -> float:
    return figures.val_accuracy if fitting.monitor == "val_accuracy" else -figures.val_loss


def _is_over(progress: Progress, fitting: Fitting) -> bool:
    if not fitting.patience or progress.best_epoch is None:
        return False
    return len(progress.history) - 1 - progress.best_epoch >= fitting.patience
