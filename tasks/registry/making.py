"""Making a version of what lies in the workspace."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np

import model.lean  # noqa: F401 - before anything that imports Keras
from model.exporting import export_onnx, onnx_probabilities, quantize_onnx
from model.labels import LABELS
from model.predicting import NetworkError, load_network, predict
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.files import write_json, write_text
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, read_faces, read_split
from tasks.gate.matching import division
from tasks.gate.verdict import read_verdict
from tasks.registry.card import Served, Setting, model_card
from tasks.registry.manifest import INT8, Manifest, list_files
from tasks.scoring.evaluation import read_evaluation
from tasks.scoring.views import views

TOLERANCE: Final = 1e-4
"""Most by which a probability of the ONNX file may differ from Keras's."""

LOST: Final = 0.01
"""Most of the validation accuracy that it may lose in 8-bit integers; else a version has it in float32 alone."""

CALIBRATING: Final = 512
"""Training faces, evenly spaced, from which the ranges of 8-bit integers are taken."""

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
    calibrating = faces.take(_spaced(split.index("train")))
    served = _export(folder, calibrating, *(faces.take(split.index(name)) for name in ("validation", "test")))
    write_json(folder / "labels.json", {"labels": LABELS, "side": faces.pixels.shape[1], "faces": "uint8, grey"})
    divided = division(split, params.split)
    subsets = f"Split {divided.strategy} ({divided.sizes}; leaks: {divided.leaks})."
    evaluation, verdict = read_evaluation(paths.EVALUATION), read_verdict(paths.VERDICT)
    setting = Setting(subsets, views(params.evaluate), faces.pixels.shape[1])
    card = model_card(version, evaluation, verdict, read_provenance(paths.PROVENANCE), setting, served)
    write_text(folder / "model-card.md", card)
    return list_files(version, commit, folder)


def _spaced(rows: np.ndarray) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(CALIBRATING, len(rows))).astype(int)]


def _export(folder: Path, calibrating: Faces, validation: Faces, test: Faces) -> Served:
    """Write the network as ONNX, hold what it says against Keras, and return what becomes of it where it is served."""
    try:
        network = load_network(folder / "model.keras")
    except NetworkError as error:
        raise UserError(f"{paths.MODEL}: {error}; run `dvc repro train`") from error
    onnx, int8 = folder / "model.onnx", folder / INT8
    export_onnx(network, onnx)
    ours = predict(network, test.pixels, batch_size=256)
    exact = onnx_probabilities(onnx, test.pixels)
    most = float(np.abs(ours - exact).max())
    if not most <= TOLERANCE:
        raise UserError(
            f"{paths.MODEL}: as ONNX, a probability differs by {most:.1e}, at most {TOLERANCE:.0e} is accepted; "
            "nothing is published"
        )
    accuracy = _accuracy(exact, test)
    if refused := _quantize(onnx, int8, calibrating, validation):
        return Served(accuracy, None, refused)
    quick = onnx_probabilities(int8, test.pixels)
    return Served(accuracy, _accuracy(quick, test), _told(int8, exact, quick))


def _accuracy(said: np.ndarray, faces: Faces) -> float:
    return float((said.argmax(axis=1) == faces.emotion).mean())


def _quantize(onnx: Path, out: Path, calibrating: Faces, validation: Faces) -> str:
    """Write the network in 8-bit integers, or return why not: that it loses much by it is seen on the validation faces.

    The test faces choose nothing here either, so that what the card says of them holds.
    """
    quantize_onnx(onnx, calibrating.pixels, out)
    before, after = (_accuracy(onnx_probabilities(path, validation.pixels), validation) for path in (onnx, out))
    if before - after <= LOST:
        return ""
    out.unlink()
    return (
        f"There is no int8 version: in 8-bit integers it reached an accuracy of {after:.3f} on the validation faces, "
        f"where the network in float32 has {before:.3f}."
    )


def _told(int8: Path, exact: np.ndarray, quick: np.ndarray) -> str:
    same = float((exact.argmax(axis=1) == quick.argmax(axis=1)).mean())
    return (
        f"`{INT8}` ({int8.stat().st_size / 1e6:.1f} MB) is the same with its convolutions in 8-bit integers, for "
        f"speed: it gives {same:.1%} of the test faces the same label, and is what `serve` looks with by default."
    )
