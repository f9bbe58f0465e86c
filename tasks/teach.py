"""Ask trained networks about every face, for the next one to learn from: `python -m tasks.teach MODEL.keras …`.

What they say, averaged, is put beside each face in `data/faces.parquet`, and `train.teacher_share` mixes it into the
targets of the training faces (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"). If a
teacher was trained on faces that are test faces here, they leak into training: use teachers of this same split.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import model.lean  # noqa: F401 - before anything that imports Keras
from model.devices import DeviceError, set_up
from model.predicting import NetworkError, load_network, predict
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import sha256
from tasks.common.params import Params
from tasks.common.provenance import Teacher, read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import read_faces
from tasks.ingest.publish import pin, publish, workspace


@command
def main() -> None:
    """Read the arguments, ask the networks, pin the data anew."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras", help="as outputs/model.keras of a run")
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="leave data.dvc as it is")
    arguments = parser.parse_args()
    say(f"asking {len(arguments.models)} about every face and its mirror image")
    agreed, faces = teach(arguments.models, load_params(paths.PARAMS))
    if arguments.pin:
        pin()
    say(f"asked about {faces:,} faces: {len(arguments.models)}; the likeliest label is the face's own for {agreed:.3f}")
    say(f"wrote {paths.FACES} and {paths.PROVENANCE}" + (f", pinned by {paths.DATA}.dvc" if arguments.pin else ""))


def teach(models: Sequence[Path], params: Params) -> tuple[float, int]:
    """Replace `data/` by the same faces with what networks say of them; what others said before is left out.

    Args:
        models: files of `model.training.saving.save_network`, whose probabilities are averaged; at least one.
        params: `train.device`, `train.deterministic` and `evaluate.batch_size` are used.

    Returns:
        for what share of the faces the likeliest label is the face's own, and how many faces there are.

    Raises:
        UserError: a file is no network for these faces, or the device is not there; `data/` is as it was then.
    """
    with workspace():
        faces, known = read_faces(paths.FACES), read_provenance(paths.PROVENANCE)
        try:
            set_up(params.train.device, mixed_precision=False, deterministic=params.train.deterministic)
        except DeviceError as error:
            raise UserError(str(error)) from error
        for path in models:  # what can't answer is refused before the others take minutes
            _ask(path, faces.pixels[:1], params.evaluate.batch_size)
        said = [_ask(path, faces.pixels, params.evaluate.batch_size) for path in models]
        teacher = np.stack(said).mean(axis=0, dtype=np.float64).astype(np.float32)
        teachers = tuple(Teacher(model=path.name, sha256=sha256(path)) for path in models)
        publish(replace(faces, teacher=teacher), known.model_copy(update={"teachers": teachers}))
    return float((teacher.argmax(axis=1) == faces.emotion).mean()), len(faces)


def _ask(path: Path, pixels: np.ndarray, batch_size: int) -> np.ndarray:
    """Return what one network says of each face and its mirror image, averaged: float32 [n, 7]."""
    try:
        return predict(load_network(path), pixels, batch_size=batch_size, flip=True)
    except NetworkError as error:
        raise UserError(f"{path}: {error}; give the outputs/model.keras of a run on faces like these") from error


if __name__ == "__main__":
    main()
