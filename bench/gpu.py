"""Train on a machine that has a GPU and Keras, and neither DVC nor Prefect; bring the result back afterwards.

    python -m bench.gpu PREPARED --out FOLDER [-S train.epochs=60 …]

PREPARED is a folder with `faces.parquet` and `split.parquet` (of `data/` and `outputs/`). It needs NumPy, pandas,
PyArrow, scikit-learn, pydantic, PyYAML and Keras with one backend, which `KERAS_BACKEND` names. Killed, the same
command goes on from the last epoch. FOLDER then holds the network, its history, its predictions for the validation and
the test faces, and its figures on the validation faces; nothing here scores the test faces.
`make import-run DIR=FOLDER` makes it an experiment of the repository.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

import model  # noqa: F401 - before Keras: it sets how it starts
from model.devices import DeviceError
from model.predicting import predict
from model.training.backup import Backup, Epoch
from model.training.fitting import TrainingError, Watch
from model.training.saving import save_network
from tasks.common.errors import UserError, command
from tasks.common.files import replacing, write_text
from tasks.common.params import Params, changed, check_params, read_values
from tasks.common.tables import Faces, Predictions, Split, read_faces, read_split, write_predictions
from tasks.train import handover
from tasks.train.learning import Trained, device_for, identity, prove, run_key, summary, train_network
from tasks.train.subsets import labelled

SECONDS: Final = 10.0
"""Between two lines within an epoch."""

PREDICTED: Final = {"validation": "validation.parquet", "test": "test.parquet"}


@command
def main() -> None:
    """Train, and fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path, help="folder with faces.parquet and split.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("-S", "--set-param", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    values = changed(read_values(options.params), settings_of(options.overrides))
    params = check_params(values, str(options.params))
    faces, split = read_faces(options.prepared / "faces.parquet"), read_split(options.prepared / "split.parquet")
    fill(options.out, values, params, faces, split)


def settings_of(overrides: Sequence[str]) -> dict[str, Any]:
    """Return overrides such as `train.learning_rate=0.0002` by name; the value is YAML.

    Raises:
        UserError: an override is not of this form.
    """
    pairs = [override.partition("=") for override in overrides]
    for name, equals, value in pairs:
        if not (name and equals):
            raise UserError(f"-S: found {name + equals + value!r}, expected name=value, as in train.epochs=60")
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def fill(folder: Path, values: Any, params: Params, faces: Faces, split: Split) -> None:
    """Train, unless it is done, and leave all that came of it in a folder.

    Raises:
        UserError: the folder holds another training, or this one can't succeed.
    """
    identified = identity(params, faces, split)
    if (folder / handover.METRICS).exists():
        if handover.read_run(folder).identity != identified:
            raise UserError(f"{folder}: it holds another training; name another folder")
        print(f"{folder}: this training is done")
        return
    backup = Backup(folder / f"{run_key(identified)}.npz")
    trained = learn(params, faces, split, backup)
    with replacing(folder / handover.MODEL) as beside:
        save_network(trained.network, beside)
    write_text(folder / handover.PARAMS, yaml.safe_dump(values, sort_keys=False))
    handover.write_history(folder, trained.progress.history)
    for subset, name in PREDICTED.items():
        write_predictions(folder / name, predictions(trained, params, faces.take(split.index(subset))))
    handover.write_run(folder, identified, summary(trained), trained.cost.known())
    backup.path.unlink()
    print(f"{folder}: {summary(trained)} {trained.cost.known()}")


def learn(params: Params, faces: Faces, split: Split, backup: Backup) -> Trained:
    """Train as the stage does, saying each epoch.

    Raises:
        UserError: it can't succeed.
    """
    how = params.train
    train, validation = labelled(faces, split, "train", how), labelled(faces, split, "validation")
    try:
        device = device_for(params)
        print(f"device: {device}", f"going on from {backup.path}" if backup.path.exists() else "", flush=True)
        if how.canary and not backup.path.exists():
            print(f"canary: one batch learnt in {prove(params, train, device)} steps", flush=True)
        return train_network(params, train, validation, device, backup, watching(len(train), how.epochs))
    except (DeviceError, TrainingError) as error:
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


def predictions(trained: Trained, params: Params, faces: Faces) -> Predictions:
    """Return what the network says of some faces, averaged over the views that `evaluate` asks for."""
    how = params.evaluate
    probabilities = predict(
        trained.network,
        faces.pixels,
        batch_size=how.batch_size,
        flip=how.flip,
        turn=how.turn,
        ten_crop=how.ten_crop,
    )
    return Predictions(faces.row, faces.emotion, probabilities)


if __name__ == "__main__":
    main()
