"""A network as ONNX: the same as Keras has it, and nearly the same in 8-bit integers."""

import keras
import numpy as np
import onnx
import pytest

from model.exporting import export_onnx, onnx_probabilities, quantize_onnx
from model.networks import build, with_probabilities


@pytest.fixture(scope="module")
def faces():
    """Patches of light and dark, each face its own, uint8 [96, 48, 48]."""
    coarse = np.random.default_rng(0).integers(0, 256, (96, 6, 6), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 8, 8), np.uint8))


@pytest.fixture(scope="module", params=["compact", "capstone"])
def exported(request, tmp_path_factory):
    keras.utils.set_random_seed(3)
    sizes = {"compact": [8, 16], "capstone": [4, 8, 16, 16, 16, 16]}[request.param]
    kernels = [3] * len(sizes)
    network = with_probabilities(build(request.param, filters=sizes, kernel_sizes=kernels))
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(network, path)
    return network, path


def test_onnx_runtime_says_what_keras_says(exported, faces):
    network, path = exported
    np.testing.assert_allclose(onnx_probabilities(path, faces), network.predict_on_batch(faces), atol=1e-5)


def test_eight_bit_integers_say_nearly_the_same_and_are_the_same_each_time(exported, faces, tmp_path):
    _, path = exported
    for name in ("one", "two"):
        quantize_onnx(path, faces[:64], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    kernels = [one for one in onnx.load(tmp_path / "one").graph.initializer if len(one.dims) == 4 and one.dims[2] > 1]
    assert {one.data_type for one in kernels} == {onnx.TensorProto.INT8}
    exact, quick = onnx_probabilities(path, faces), onnx_probabilities(tmp_path / "one", faces)
    assert 0 < np.abs(exact - quick).max() < 0.02
    centred = [(said - said.mean(axis=0)).ravel() for said in (exact, quick)]
    assert np.corrcoef(centred)[0, 1] > 0.9  # what tells the faces apart is still there
