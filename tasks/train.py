"""Train the network on the training subset; keep the weights that do best on the validation subset."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
from dvclive import Live
from scmrepo.exceptions import SCMError

import model
from model.devices import Device, DeviceError, kernels, set_up
from model.networks import build, with_probabilities
from model.training.augmentation import Augmentation
from model.training.backup import Backup, Epoch, Progress
from model.training.batches import Labelled, one_hot
from model.training.canary import prove_learning
from model.training.cost import Cost, cost
from model.training.fitting import Fitting, TrainingError, Watch, fit, macro_f1
from model.training.growth import Growth
from model.training.losses import Objective
from model.training.optimizers import Recipe
from model.training.saving import save_network
from tasks.common import paths
from tasks.common.console import Bar, progress, say
from tasks.common.errors import UserError, command
from tasks.common.files import replacing, write_json
from tasks.common.params import Augment, Params, Train, load_params
from tasks.common.params import Model as ModelParams
from tasks.common.processes import end_with_dvc, exclusive
from tasks.common.tables import VOTED, Faces, Split, read_faces, read_split

DECISIVE: Final = ("networks", "training")
"""The rooms of `model/` whose code decides what a training gives."""


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


def run_key(params: Params, faces: Faces, split: Split) -> str:
    """Return a name for all that decides a training: parameters, faces, split, and the code that trains.

    A backup lies under this name, so that nothing goes on from a backup of another run.
    """
    digest = hashlib.sha256()
    decisive = {name: getattr(params, name).model_dump() for name in ("model", "train", "augment")}
    decisive["keras"] = [keras.version(), keras.backend.backend()]
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    digest.update(faces.fingerprint().encode())
    if params.train.vote_share and faces.votes is not None:
        digest.update(np.ascontiguousarray(faces.votes).data)
    digest.update("\n".join(split.subset).encode())
    home = Path(model.__file__).parent
    for module in (home / "__init__.py", *sorted(p for room in DECISIVE for p in (home / room).rglob("*.py"))):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def labelled(faces: Faces, split: Split, subset: str, vote_share: float = 0.0) -> Labelled:
    """Return the faces of one subset with their labels and, where crowd votes have a share, their soft targets.

    Raises:
        UserError: the split is not of these faces, the subset is empty, or it has no votes to give them a share.
    """
    if not (len(split.row) == len(faces) and (split.row == faces.row).all()):
        raise UserError(f"{paths.SPLIT}: its rows are not those of {paths.FACES}; run `dvc repro split`")
    index = split.index(subset)
    if not len(index):
        raise UserError(f"{paths.SPLIT}: the {subset} subset is empty; look at split in {paths.PARAMS}")
    own = faces.take(index)
    return Labelled(own.pixels, own.emotion, soft_targets(own, vote_share) if vote_share else None)


def soft_targets(faces: Faces, vote_share: float) -> np.ndarray:
    """Mix labels and crowd votes (Barsoum et al. 2016, who train on the votes alone).

    Args:
        faces: of which some have votes.
        vote_share: 0 to 1, the votes' share; a face's own votes are counted among the seven labels alone.

    Returns:
        float32 [n, 7], rows that sum to 1; the one-hot label of a face that has no such votes.

    Raises:
        UserError: none of the faces has votes.
    """
    hard = one_hot(faces.emotion)
    votes = np.zeros_like(hard) if faces.votes is None else faces.votes[:, VOTED].astype(np.float32)
    total = votes.sum(axis=1, keepdims=True)
    if not total.any():
        raise UserError(
            f"train.vote_share: found {vote_share:g}, and no training face in {paths.FACES} has crowd votes; "
            "ingest the data with `--votes fer2013new.csv`, or set it to 0"
        )
    return np.where(total > 0, (1 - vote_share) * hard + vote_share * votes / np.maximum(total, 1), hard)


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
        seed=train.seed,
        augment=Augmentation(**augment.model_dump()),
        growth=Growth(train.start_side, train.growth),
        objective=objective,
        class_weights=train.class_weights,
        class_beta=train.class_beta,
        monitor=train.early_stopping.monitor,
        patience=train.early_stopping.patience,
    )


def train_network(params: Params, faces: Faces, split: Split, device: Device, backup: Backup, history: Path) -> Trained:
    """Train as `params` say, going on from `backup` where it is there.

    Args:
        params: all of `params.yaml`; `model`, `train` and `augment` are used.
        faces: the whole table.
        split: which of them train and which validate.
        device: of `model.devices.set_up`.
        backup: written after each epoch.
        history: folder for DVCLive's figures by epoch.

    Raises:
        UserError: the split, the crowd votes or the network's parameters don't fit.
        TrainingError: the canary or the loss shows that training can't succeed.
    """
    train = labelled(faces, split, "train", params.train.vote_share)
    validation = labelled(faces, split, "validation")
    fitting = fitting_of(params.train, params.augment)
    with device.scope:
        if params.train.canary and not backup.path.exists():
            steps = prove_learning(_network(params.model, faces), train, params.train.seed, fitting.objective)
            say(f"canary: one batch learnt in {steps} steps")
        # Layers are numbered from 1 again, whether or not a canary came before.
        keras.utils.clear_session()
        keras.utils.set_random_seed(params.train.seed)
        network = _network(params.model, faces)
        with _live(history) as live, progress("training", fitting.epochs * len(train), "faces") as bar:
            reporter = _Reporter(live, bar, len(train), fitting.epochs)
            watch = Watch(reporter.batch, reporter.epoch)
            done = fit(network, train, validation, fitting, backup=backup, watch=watch, devices=device.count)
        took = cost(device, done.spent, faces=len(train) * len(done.history))
        return Trained(
            with_probabilities(network), done, macro_f1(network, validation, device.count), len(validation), took
        )


def _say_how(device: Device, train: Train, backup: Backup) -> None:
    say(f"device: {device}")
    if device.kind == "cpu":
        say(kernels())
    if train.mixed_precision and device.kind == "cpu":
        say("train.mixed_precision is for GPUs: this CPU computes in float32")
    if backup.path.exists():
        say(f"going on from {backup.path}")


def _live(history: Path) -> Live:
    try:
        return Live(str(history), dvcyaml=None, save_dvc_exp=False)
    except SCMError as error:
        raise UserError(f"git: {error}: DVCLive needs a commit to exist; commit once, then try again") from error


def _network(params: ModelParams, faces: Faces) -> keras.Model:
    try:
        return build(side=faces.pixels.shape[1], **params.model_dump())
    except ValueError as error:
        raise UserError(f"{paths.PARAMS}: model: {error}") from error


class _Reporter:
    """Shows each batch on the bar, says each epoch, and writes it through DVCLive."""

    def __init__(self, live: Live, bar: Bar, faces: int, epochs: int) -> None:
        self._live, self._bar, self._faces, self._epochs = live, bar, faces, epochs
        self._start: tuple[float, int] | None = None

    def batch(self, index: int, seen: int, loss: float, accuracy: float) -> None:
        now, place = time.monotonic(), index * self._faces + seen
        # The first batch of a process compiles the network: speed is counted from its end.
        since, start = self._start = self._start or (now, place)
        speed = f"{(place - start) / (now - since):,.0f} faces/s" if now > since else ""
        self._bar.advance(place - self._bar.done, f"loss {loss:.3f} accuracy {accuracy:.3f} {speed}")

    def epoch(self, index: int, figures: Epoch) -> None:
        self._bar.advance((index + 1) * self._faces - self._bar.done)
        say(
            f"epoch {index + 1}/{self._epochs}: loss {figures.loss:.4f} accuracy {figures.accuracy:.4f} "
            f"val_loss {figures.val_loss:.4f} val_accuracy {figures.val_accuracy:.4f}"
        )
        for name, value in asdict(figures).items():
            self._live.log_metric(f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}", value)
        self._live.next_step()


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


def _train(params: Params, faces: Faces, split: Split, backup: Backup) -> Trained:
    try:
        device = set_up(
            params.train.device,
            mixed_precision=params.train.mixed_precision,
            deterministic=params.train.deterministic,
        )
        _say_how(device, params.train, backup)
        return train_network(params, faces, split, device, backup, paths.HISTORY)
    except (DeviceError, TrainingError) as error:
        raise UserError(str(error)) from error


@command
def main() -> None:
    end_with_dvc()
    params = load_params(paths.PARAMS)
    faces, split = read_faces(paths.FACES), read_split(paths.SPLIT)
    folder = paths.BACKUPS / run_key(params, faces, split)
    with exclusive(folder.with_suffix(".lock"), "this very training"):
        trained = _train(params, faces, split, Backup(folder / "state.npz"))
        with replacing(paths.MODEL) as beside:
            save_network(trained.network, beside)
        write_json(paths.TRAINING, summary(trained))
        known = {name: value for name, value in asdict(trained.cost).items() if value is not None}
        write_json(paths.COST, known)
        shutil.rmtree(folder)
    folder.with_suffix(".lock").unlink()


if __name__ == "__main__":
    main()
