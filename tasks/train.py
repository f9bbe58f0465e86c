"""Train the network on the training subset; keep the weights that do best on the validation subset."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import keras
from dvclive import Live
from scmrepo.exceptions import SCMError

import model
from model.devices import Device, DeviceError, set_up
from model.networks import build, with_probabilities
from model.training.augmentation import Augmentation
from model.training.backup import Backup, Epoch, Progress
from model.training.batches import Labelled
from model.training.canary import prove_learning
from model.training.fitting import Fitting, TrainingError, Watch, fit
from model.training.optimizers import Recipe
from model.training.saving import save_network
from tasks.common import paths
from tasks.common.console import Bar, progress, say
from tasks.common.errors import UserError, command
from tasks.common.files import replacing, write_json
from tasks.common.params import Augment, Params, Train, load_params
from tasks.common.params import Model as ModelParams
from tasks.common.processes import end_with_dvc, exclusive
from tasks.common.tables import Faces, Split, read_faces, read_split

DECISIVE: Final = ("networks", "training")
"""The rooms of `model/` whose code decides what a training gives."""


def run_key(params: Params, faces: Faces, split: Split) -> str:
    """Return a name for all that decides a training: parameters, faces, split, and the code that trains.

    A backup lies under this name, so that nothing goes on from a backup of another run.
    """
    digest = hashlib.sha256()
    decisive = {name: getattr(params, name).model_dump() for name in ("model", "train", "augment")}
    decisive["keras"] = [keras.version(), keras.backend.backend()]
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    digest.update(faces.fingerprint().encode())
    digest.update("\n".join(split.subset).encode())
    home = Path(model.__file__).parent
    for module in (home / "__init__.py", *sorted(p for room in DECISIVE for p in (home / room).rglob("*.py"))):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def labelled(faces: Faces, split: Split, subset: str) -> Labelled:
    """Return the faces of one subset with their labels.

    Raises:
        UserError: the split is not of these faces, or the subset is empty.
    """
    if not (len(split.row) == len(faces) and (split.row == faces.row).all()):
        raise UserError(f"{paths.SPLIT}: its rows are not those of {paths.FACES}; run `dvc repro split`")
    index = split.index(subset)
    if not len(index):
        raise UserError(f"{paths.SPLIT}: the {subset} subset is empty; look at split in {paths.PARAMS}")
    return Labelled(faces.pixels[index], faces.emotion[index])


def fitting_of(train: Train, augment: Augment) -> Fitting:
    """Return the recipe that the parameters describe."""
    recipe = Recipe(
        optimizer=train.optimizer,
        learning_rate=train.learning_rate,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
        schedule=train.schedule,
        warmup=train.warmup,
    )
    return Fitting(
        recipe=recipe,
        epochs=train.epochs,
        batch_size=train.batch_size,
        seed=train.seed,
        augment=Augmentation(**augment.model_dump()),
        label_smoothing=train.label_smoothing,
        class_weights=train.class_weights,
        monitor=train.early_stopping.monitor,
        patience=train.early_stopping.patience,
    )


def train_network(
    params: Params, faces: Faces, split: Split, device: Device, backup: Backup, history: Path
) -> tuple[keras.Model, Progress]:
    """Train as `params` say, going on from `backup` where it is there.

    Args:
        params: all of `params.yaml`; `model`, `train` and `augment` are used.
        faces: the whole table.
        split: which of them train and which validate.
        device: of `model.devices.set_up`.
        backup: written after each epoch.
        history: folder for DVCLive's figures by epoch.

    Returns:
        The network with its best weights, giving probabilities, and the progress of all epochs.

    Raises:
        UserError: the split or the network's parameters don't fit.
        TrainingError: the canary or the loss shows that training can't succeed.
    """
    train, validation = labelled(faces, split, "train"), labelled(faces, split, "validation")
    fitting = fitting_of(params.train, params.augment)
    with device.scope:
        if params.train.canary and not backup.path.exists():
            steps = prove_learning(_network(params.model, faces), train, params.train.seed)
            say(f"canary: one batch learnt in {steps} steps")
        # Layers are numbered from 1 again, whether or not a canary came before.
        keras.utils.clear_session()
        keras.utils.set_random_seed(params.train.seed)
        network = _network(params.model, faces)
        with (
            _live(history) as live,
            progress("training", fitting.epochs * len(train), "faces") as bar,
        ):
            reporter = _Reporter(live, bar, len(train), fitting.epochs)
            watch = Watch(reporter.batch, reporter.epoch)
            done = fit(network, train, validation, fitting, backup=backup, watch=watch)
        return with_probabilities(network), done


def _say_how(device: Device, train: Train, backup: Backup) -> None:
    say(f"device: {device}")
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


@command
def main() -> None:
    end_with_dvc()
    params = load_params(paths.PARAMS)
    faces, split = read_faces(paths.FACES), read_split(paths.SPLIT)
    folder = paths.BACKUPS / run_key(params, faces, split)
    with exclusive(folder.with_suffix(".lock"), "this very training"):
        backup = Backup(folder / "state.npz")
        try:
            device = set_up(
                params.train.device,
                mixed_precision=params.train.mixed_precision,
                deterministic=params.train.deterministic,
            )
            _say_how(device, params.train, backup)
            network, done = train_network(params, faces, split, device, backup, paths.HISTORY)
        except (DeviceError, TrainingError) as error:
            raise UserError(str(error)) from error
        with replacing(paths.MODEL) as beside:
            save_network(network, beside)
        write_json(paths.TRAINING, summary(done))
        shutil.rmtree(folder)
    folder.with_suffix(".lock").unlink()


def summary(done: Progress) -> dict[str, float]:
    """Return what `metrics/training.json` says: the figures of the best epoch, and how many epochs there were."""
    if done.best_epoch is None:
        raise ValueError("no epoch is done")
    best = done.history[done.best_epoch]
    return {
        "epochs": len(done.history),
        "best_epoch": done.best_epoch + 1,
        "val_loss": best.val_loss,
        "val_accuracy": best.val_accuracy,
    }


if __name__ == "__main__":
    main()
