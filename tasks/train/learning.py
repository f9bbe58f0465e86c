"""Train the network on the training subset; keep the weights that do best on the validation subset."""

import gc
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np

import model
from model.devices import Device, DeviceError, set_up
from model.networks import build, with_probabilities
from model.training.augmentation import Augmentation
from model.training.backup import Backup, Progress
from model.training.batches import Labelled
from model.training.canary import prove_learning
from model.training.cost import Cost, cost
from model.training.fitting import Fitting, fit, macro_f1, sized
from model.training.ghosts import with_ghost_batches
from model.training.growth import Growth
from model.training.guard import Watch
from model.training.losses import Objective
from model.training.optimizers import Recipe
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.params import Augment, Params, Train
from tasks.common.params import Model as ModelParams
from tasks.common.tables import Faces, Split

DECISIVE: Final = (
    "model/__init__.py",
    "model/devices.py",
    "model/kernels.py",
    "model/networks",
    "model/training",
    "tasks/train/learning.py",
    "tasks/train/subsets.py",
)
"""The modules, and the rooms of such, whose code decides what a training gives."""


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes:
        network: with the weights of its best epoch, giving probabilities.
        progress: of all epochs.
        val_macro_f1: of that network on the validation faces, as `model.training.fitting.macro_f1` has it.
        val_faces: how many validation faces there are.
        cost: what it took.
    """

    network: keras.Model
    progress: Progress
    val_macro_f1: float
    val_faces: int
    cost: Cost


def identity(params: Params, faces: Faces, split: Split) -> dict[str, str]:
    """Return a fingerprint of each thing that decides a training: parameters, Keras, faces, split, and the code."""
    chosen = {name: getattr(params, name).model_dump() for name in ("model", "train", "augment")}
    pixels = [faces.fingerprint().encode()]
    if (params.train.vote_share or params.train.vote_weight) and faces.votes is not None:
        pixels.append(np.ascontiguousarray(faces.votes).tobytes())
    if params.train.teacher_share and faces.teacher is not None:
        pixels.append(np.ascontiguousarray(faces.teacher).tobytes())
    home = Path(model.__file__).parent.parent
    modules = [path for name in DECISIVE for path in sorted((home / name).rglob("*.py")) or [home / name]]
    return {
        "parameters": _digest(json.dumps(chosen, sort_keys=True).encode()),
        "keras": f"{keras.version()} {keras.backend.backend()}",
        "faces": _digest(*pixels),
        "split": _digest("\n".join(split.subset).encode()),
        "code": _digest(*(module.read_bytes() for module in modules)),
    }


def run_key(identified: dict[str, str]) -> str:
    """Return a name for all that `identity` tells, and for the precision that `device_for` has set.

    A backup lies under this name, so that nothing goes on from a backup of another run, or of a device that computes
    in another precision.
    """
    whole = identified | {"precision": keras.config.dtype_policy().name}
    return _digest(json.dumps(whole, sort_keys=True).encode())


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def fitting_of(train: Train, augment: Augment) -> Fitting:
    """Return the recipe that the parameters describe."""
    recipe = Recipe(
        optimizer=train.optimizer,
        learning_rate=train.learning_rate,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
        schedule=train.schedule,
        warmup=train.warmup,
        ema=train.ema,
    )
    objective = Objective(
        loss=train.loss,
        label_smoothing=train.label_smoothing,
        focal_gamma=train.focal_gamma,
        dice_smooth=train.dice_smooth,
    )
    return Fitting(
        recipe=recipe,
        epochs=train.epochs,
        batch_size=train.batch_size,
        ghost_batch=train.ghost_batch,
        steps_per_execution=train.steps_per_execution,
        seed=train.seed,
        augment=Augmentation(**augment.model_dump()),
        growth=Growth(train.start_side, train.growth),
        objective=objective,
        class_weights=train.class_weights,
        class_beta=train.class_beta,
        vote_weight=train.vote_weight,
        monitor=train.early_stopping.monitor,
        patience=train.early_stopping.patience,
    )


def device_for(params: Params) -> Device:
    """Return the device that the parameters ask for, set up; nothing may have been computed before.

    Raises:
        UserError: it is not there.
    """
    how, parts = params.train, fitting_of(params.train, params.augment).parts()
    try:
        return set_up(how.device, mixed_precision=how.mixed_precision, deterministic=how.deterministic, parts=parts)
    except DeviceError as error:
        raise UserError(str(error)) from error


def prove(params: Params, train: Labelled, device: Device) -> int:
    """Return how many steps the network took to learn one batch, of faces as small as the first epoch has them.

    Raises:
        UserError: the network's parameters don't fit.
        TrainingError: it could not learn it, or the faces start too small; see `model.training.canary`.
    """
    fitting = fitting_of(params.train, params.augment)
    with device.scope:
        network = _network(params.model, train)
        first = sized(network, fitting.growth.side(0, fitting.epochs, network.input_shape[1]))
        steps = prove_learning(first, train, fitting.seed, fitting.objective)
    del network, first
    gc.collect()  # a compiled network holds itself, and the training needs its memory
    return steps


def train_network(
    params: Params, train: Labelled, validation: Labelled, device: Device, backup: Backup, watch: Watch
) -> Trained:
    """Train as `params` say, going on from `backup` where it is there.

    Args:
        params: all of `params.yaml`; `model`, `train` and `augment` are used.
        train: of `tasks.train.subsets.labelled`.
        validation: likewise.
        device: of `model.devices.set_up`.
        backup: written after each epoch.
        watch: whom to tell.

    Raises:
        UserError: the network's parameters don't fit.
        TrainingError: the loss shows that training can't succeed.
    """
    fitting = fitting_of(params.train, params.augment)
    with device.scope:
        # Layers are numbered from 1 again, whether or not a canary came before; Keras forgets the precision with it.
        precision = keras.config.dtype_policy()
        keras.utils.clear_session()
        keras.config.set_dtype_policy(precision)
        keras.utils.set_random_seed(params.train.seed)
        network = _network(params.model, train)
        done = fit(network, train, validation, fitting, backup=backup, watch=watch, devices=device.count)
        took = cost(device, done.spent, faces=len(train) * len(done.history))
        network = _at_full_precision(network, params.model, train)
        parts = fitting.parts(device.count)
        val_macro_f1 = macro_f1(with_ghost_batches(network, parts), validation, max(device.count, parts))
        return Trained(with_probabilities(network), done, val_macro_f1, len(validation), took)


def _at_full_precision(network: keras.Model, params: ModelParams, data: Labelled) -> keras.Model:
    """Return the network in float32, with weights of its own: half precision is for training, not for every CPU."""
    if keras.config.dtype_policy().name == "float32":
        return network
    keras.config.set_dtype_policy("float32")
    whole = _network(params, data)
    whole.set_weights(network.get_weights())
    return whole


def _network(params: ModelParams, data: Labelled) -> keras.Model:
    try:
        return build(side=data.faces.shape[1], **params.model_dump())
    except ValueError as error:
        raise UserError(f"{paths.PARAMS}: model: {error}") from error


def summary(trained: Trained) -> dict[str, float]:
    """Return what `metrics/training.json` says: the figures of the best epoch, and how many epochs there were."""
    done = trained.progress
    if done.best_epoch is None:
        raise ValueError("no epoch is done")
    best = done.history[done.best_epoch]
    return {
        "epochs": len(done.history),
        "best_epoch": done.best_epoch + 1,
        "val_loss": best.val_loss,
        "val_accuracy": best.val_accuracy,
        "val_macro_f1": trained.val_macro_f1,
        "val_faces": trained.val_faces,
    }
