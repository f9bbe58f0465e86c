"""The stage `train`: from the files that lie there to the network, its figures and its cost."""

import shutil

import model.lean  # noqa: F401 - before anything that imports Keras
from model.devices import Device
from model.kernels import computes_bfloat16, described
from model.training.backup import Backup
from model.training.batches import Labelled
from model.training.guard import TrainingError
from model.training.saving import save_network
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError
from tasks.common.files import replacing, write_json
from tasks.common.params import Params, Train
from tasks.common.processes import exclusive
from tasks.common.tables import read_faces, read_split
from tasks.train.learning import Trained, device_for, identity, prove, run_key, summary, train_network
from tasks.train.showing import shown
from tasks.train.subsets import labelled


def run(params: Params) -> None:
    """Train, or go on with a training that was killed, and leave all that the following stages need.

    Raises:
        UserError: faces, split or parameters are bad, the device is not there, or the training can't succeed.
    """
    identified, train, validation = _read(params)
    device = device_for(params)
    folder = paths.BACKUPS / run_key(identified)
    with exclusive(folder.with_suffix(".lock"), "this very training"):
        trained = _train(params, train, validation, device, Backup(folder / "state.npz"))
        with replacing(paths.MODEL) as beside:
            save_network(trained.network, beside)
        write_json(paths.TRAINING, summary(trained))
        write_json(paths.COST, trained.cost.known())
        shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)


def _read(params: Params) -> tuple[dict[str, str], Labelled, Labelled]:
    """Return what the training is, and the faces that train and validate; the others need no memory."""
    faces, split = read_faces(paths.FACES), read_split(paths.SPLIT)
    train = labelled(faces, split, "train", params.train)
    return identity(params, faces, split), train, labelled(faces, split, "validation")


def _train(params: Params, train: Labelled, validation: Labelled, device: Device, backup: Backup) -> Trained:
    how = params.train
    _say_how(device, how, train, backup)
    try:
        if how.canary and not backup.path.exists():
            say(f"canary: one batch learnt in {prove(params, train, device)} steps")
        with shown(paths.HISTORY, len(train), how.epochs) as watch:
            return train_network(params, train, validation, device, backup, watch)
    except TrainingError as error:
        raise UserError(str(error)) from error


def _say_how(device: Device, how: Train, train: Labelled, backup: Backup) -> None:
    say(f"device: {device}")
    if device.kind == "cpu":
        say(described())
    if how.vote_weight and train.votes is None:
        say("no crowd votes in the data: there is nothing to learn beside the labels (`--votes` of ingest brings them)")
    if how.mixed_precision and device.kind == "cpu":
        say(f"train.mixed_precision: this CPU computes in {'bfloat16' if computes_bfloat16() else 'float32 alone'}")
    if backup.path.exists():
        say(f"going on from {backup.path}")
