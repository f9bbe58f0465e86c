"""What becomes of a network in 8-bit integers when a version is made of it."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from model.exporting import export_onnx, onnx_probabilities
from model.labels import LABELS
from model.networks import build, with_probabilities
from model.networks.parts import LOGITS
from tasks.ingest.sample import draw_sample
from tasks.registry.making import _quantize


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network as ONNX, and drawn faces, labelled so that it is always right."""
    keras.utils.set_random_seed(1)
    path, faces = tmp_path_factory.mktemp("exported") / "model.onnx", draw_sample().take(np.arange(0, 2800, 10))
    network = build("compact", filters=[8, 16], kernel_sizes=[3, 3])
    logits = network.predict_on_batch(faces.pixels)
    last = network.get_layer(LOGITS)
    last.set_weights([last.get_weights()[0] / logits.std(), -logits.mean(axis=0) / logits.std()])  # all labels occur
    export_onnx(with_probabilities(network), path)
    said = onnx_probabilities(path, faces.pixels)
    assert len(np.unique(said.argmax(axis=1))) == len(LABELS)
    return path, replace(faces, emotion=said.argmax(axis=1).astype(np.int8))


def test_a_network_that_loses_too_much_has_none_and_the_card_says_so(exported, tmp_path):
    path, faces = exported
    out = tmp_path / "int8.onnx"
    dark = replace(faces, pixels=np.zeros_like(faces.pixels))  # ranges that hold no face
    sentence = _quantize(path, out, dark, faces)
    assert sentence.startswith("There is no int8 version: in 8-bit integers it reached an accuracy of 0.")
    assert not out.exists()
