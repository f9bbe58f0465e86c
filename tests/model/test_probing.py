import keras
import pytest
import tensorflow as tf

from model.probing import convolution_error, learns, prove


def test_a_right_convolution_is_numpys_and_a_wrong_one_is_far_off(monkeypatch):
    right = keras.ops.conv
    assert convolution_error() < 1e-6
    # A device that takes the kernel's rows in the wrong order.
    monkeypatch.setattr(keras.ops, "conv", lambda maps, kernels, **knobs: right(maps, kernels[::-1].copy(), **knobs))
    assert convolution_error() > 0.1


def test_a_network_learns():
    # One step can't be enough, and 300 are the most that the canary takes.
    assert 1 < learns() < 100


def test_a_gpu_that_is_not_there_is_no_proof_of_another_device():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    proof = prove("gpu")
    assert proof.fault == "tensorflow sees no GPU"
    assert proof.convolution_error is None
