"""Train on a machine that has a GPU and Keras, and neither DVC nor Prefect; bring the result back afterwards.

    python -m bench.gpu PREPARED --out FOLDER [-S train.epochs=60 …]

PREPARED is a folder with `faces.parquet` (of `data/`); where `split.parquet` (of `outputs/`) lies there too, it is the
split, else one is made as the stage `split` makes it. It needs NumPy, pandas, PyArrow, scikit-learn, pydantic, PyYAML
and Keras with one backend, which `KERAS_BACKEND` names. Killed, the same command goes on from the last epoch. FOLDER
then holds the network, its history, its predictions for the validation and the test faces, and its figures on the
validation faces; nothing here scores the test faces. `make import-run DIR=FOLDER` makes it an experiment of the
repository; `python -m bench.sweep` makes all runs of a sweep.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

import model.lean  # noqa: F401 - before anything that imports Keras
from model.devices import Device
from model.predicting import NetworkError, load_network
from model.training.backup import Backup, Epoch
from model.training.guard import TrainingError, Watch
from model.training.saving import save_network
from tasks.common.errors import UserError, command
from tasks.common.files import replacing, write_text
from tasks.common.params import Params
from tasks.common.processes import exclusive
from tasks.common.reading import changed, check_params, parse, read_values
from tasks.common.tables import Faces, Split, read_faces, read_split, write_predictions
from tasks.predicting import predict_faces
from tasks.train import handover
from tasks.train.learning import Trained, device_for, identity, prove, run_key, summary, train_network
from tasks.train.subsets import labelled

if TYPE_CHECKING:
    import keras

SECONDS: Final = 10.0
"""Between two lines within an epoch."""

PREDICTED: Final = {"validation": "validation.parquet", "test": "test.parquet"}


@command
def main() -> None:
    """Train, and fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path, help="folder with faces.parquet, and perhaps split.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    parser.add_argument("--make-split", action="store_true", help="as the parameters say, even where one lies there")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("-S", "--set-param", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    values = changed(read_values(options.params), settings_of(options.overrides))
    params = check_params(values, str(options.params))
    faces = read_faces(options.prepared / "faces.parquet")
    lies = None if options.make_split else options.prepared / "split.parquet"
    fill(options.out, Asked(values, params, faces, split_of(faces, params, lies)))


def split_of(faces: Faces, params: Params, lies: Path | None) -> Split:
    """Return the split that lies there, or else the one that the stage `split` makes: seconds, beside a training.

    Raises:
        UserError: it can't be read, or made as the parameters say.
    """
    if lies and lies.exists():
        return read_split(lies)
    from tasks.split import split  # noqa: PLC0415 - scikit-learn, which Keras is imported without

    return split(faces, params.split)


def settings_of(overrides: Sequence[str]) -> dict[str, Any]:
    """Return overrides such as `train.learning_rate=0.0002` by name; the value is YAML.

    Raises:
        UserError: an override is not of this form.
    """
    pairs = [override.partition("=") for override in overrides]
    for name, equals, value in pairs:
        if not (name and equals):
            raise UserError(f"-S: found {name + equals + value!r}, expected name=value, as in train.epochs=60")
    try:
        return {name: parse(value) for name, _, value in pairs}
    except yaml.YAMLError as error:
        raise UserError(f"-S: not YAML: {' '.join(str(error).split())}") from error


@dataclass(frozen=True)
class Asked:
    """What to train: the content of the parameter file, the same checked, and the prepared data."""

    values: Mapping[str, Any]
    params: Params
    faces: Faces
    split: Split


def fill(folder: Path, asked: Asked) -> None:
    """Train, unless it is done, and leave all that came of it in a folder.

    Raises:
        UserError: the folder holds another training, or this one can't succeed.
    """
    identified = identity(asked.params, asked.faces, asked.split)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: it is no folder; name one that can be filled")
    with exclusive(folder / ".lock", "another training into this folder"):
        if (folder / handover.METRICS).exists():
            _repeat(folder, asked, identified)
        else:
            _fill(folder, asked, identified)


def _fill(folder: Path, asked: Asked, identified: dict[str, str]) -> None:
    device = device_for(asked.params)
    backup = Backup(folder / f"{run_key(identified)}.npz")
    trained = _learn(asked, device, backup)
    with replacing(folder / handover.MODEL) as beside:
        save_network(trained.network, beside)
    handover.write_history(folder, trained.progress.history)
    _predict(folder, trained.network, asked)
    handover.write_run(folder, identified, summary(trained), trained.cost.known())
    backup.path.unlink()
    print(f"{folder}: {summary(trained)} {trained.cost.known()}")


def _repeat(folder: Path, asked: Asked, identified: dict[str, str]) -> None:
    """Leave a training that is done, but predict again where predictions are missing or were asked for otherwise."""
    if handover.read_run(folder).identity != identified:
        raise UserError(f"{folder}: it holds another training; name another folder")
    before = read_values(folder / handover.PARAMS).get("evaluate")
    if before == asked.values["evaluate"] and all((folder / name).exists() for name in PREDICTED.values()):
        print(f"{folder}: this training is done")
        return
    try:
        network = load_network(folder / handover.MODEL)
    except NetworkError as error:
        raise UserError(f"{folder / handover.MODEL}: {error}") from error
    _predict(folder, network, asked)
    print(f"{folder}: this training is done; its network has predicted anew")


def _predict(folder: Path, network: "keras.Model", asked: Asked) -> None:
    for subset, name in PREDICTED.items():
        subset_faces = asked.faces.take(asked.split.index(subset))
        write_predictions(folder / name, predict_faces(network, subset_faces, asked.params.evaluate))
    write_text(folder / handover.PARAMS, yaml.safe_dump(dict(asked.values), sort_keys=False))


def _learn(asked: Asked, device: Device, backup: Backup) -> Trained:
    """Train as the stage does, saying each epoch."""
    params, how = asked.params, asked.params.train
    train = labelled(asked.faces, asked.split, "train", how)
    validation = labelled(asked.faces, asked.split, "validation")
    print(f"device: {device}", f"going on from {backup.path}" if backup.path.exists() else "", flush=True)
    try:
        if how.canary and not backup.path.exists():
            print(f"canary: one batch learnt in {prove(params, train, device)} steps", flush=True)
        return train_network(params, train, validation, device, backup, watching(len(train), how.epochs))
    except TrainingError as error:
        raise UserError(str(error)) from error


def watching(faces: int, epochs: int) -> Watch:
    """Return what says each epoch, and how far it is in between."""
    said = time.monotonic()

    def batch(index: int, seen: int, loss: float, accuracy: float) -> None:
        nonlocal said
        if time.monotonic() - said > SECONDS:
            said = time.monotonic()
            print(f"epoch {index + 1}: {seen:,}/{faces:,} faces, loss {loss:.3f} accuracy {accuracy:.3f}", flush=True)

    def epoch(index: int, figures: Epoch) -> None:
        print(f"epoch {index + 1}/{epochs}: {figures}", flush=True)

    return Watch(batch, epoch)


if __name__ == "__main__":
    main()
