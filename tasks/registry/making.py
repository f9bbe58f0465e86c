"""Making a version of what lies in the workspace."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np

from model.exporting import export_onnx, onnx_probabilities
from model.labels import LABELS
from model.predicting import NetworkError, load_network, predict
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.files import write_json, write_text
from tasks.common.params import load_params
from tasks.common.provenance import read_provenance
from tasks.common.tables import Faces, read_faces, read_split
from tasks.gate.fitting import division
from tasks.gate.verdict import read_verdict
from tasks.registry.card import model_card
from tasks.registry.manifest import Manifest, list_files
from tasks.scoring.evaluation import read_evaluation

TOLERANCE: Final = 1e-4
"""Most by which a probability of the ONNX file may differ from Keras's."""

_COPIES: Final = {
    "model.keras": paths.MODEL,
    "metrics.json": paths.EVALUATION,
    "params.yaml": paths.PARAMS,
    "verdict.json": paths.VERDICT,
    "predictions.parquet": paths.PREDICTIONS,
}


def make_version(version: str, commit: str, folder: Path) -> Manifest:
    """Put the files of a version into a folder, and return the list of them.

    Raises:
        UserError: something that it needs does not lie here, or ONNX Runtime says other than Keras.
    """
    faces, split, params = read_faces(paths.FACES), read_split(paths.SPLIT), load_params(paths.PARAMS)
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in _COPIES.items():
        shutil.copy(path, folder / name)
    _export(folder, faces.take(split.index("test")))
    write_json(folder / "labels.json", {"labels": LABELS, "side": faces.pixels.shape[1], "faces": "uint8, grey"})
    divided = division(split, params.split)
    subsets = f"Split {divided.strategy} ({divided.sizes}; leaks: {divided.leaks})."
    evaluation, verdict = read_evaluation(paths.EVALUATION), read_verdict(paths.VERDICT)
    provenance, side = read_provenance(paths.PROVENANCE), faces.pixels.shape[1]
    card = model_card(version, evaluation, verdict, provenance, subsets=subsets, side=side)
    write_text(folder / "model-card.md", card)
    return list_files(version, commit, folder)


def _export(folder: Path, test: Faces) -> None:
    """Write the network as ONNX, and hold what it says of the test faces against Keras."""
    try:
        network = load_network(folder / "model.keras")
    except NetworkError as error:
        raise UserError(f"{paths.MODEL}: {error}; run `dvc repro train`") from error
    onnx = folder / "model.onnx"
    export_onnx(network, onnx)
    ours = predict(network, test.pixels, batch_size=256)
    most = float(np.abs(ours - onnx_probabilities(onnx, test.pixels)).max())
    if not most <= TOLERANCE:
        raise UserError(
            f"{paths.MODEL}: as ONNX, a probability differs by {most:.1e}, at most {TOLERANCE:.0e} is accepted; "
            "nothing is published"
        )
