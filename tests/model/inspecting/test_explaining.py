import keras
import numpy as np
import pytest
from keras import layers

from model.inspecting.explaining import grad_cam
from model.inspecting.gradients import gradient
from model.networks import build, with_probabilities
from model.predicting import NetworkError
from tests.model.tiny import noise, tiny


def looks_at_light(*, flat: bool) -> keras.Model:
    """Return a network whose label 3 grows with bright places and whose label 0 grows with dark ones."""
    network = tiny(flat=flat)
    convolution, dense = network.layers[3], network.get_layer("logits")
    kernel, _ = convolution.get_weights()
    bright = np.zeros_like(kernel)
    bright[..., 0], bright[..., 1] = 1 / 25, -1 / 25  # channel 0: mean light; channel 1: lack of it
    bias = np.zeros(kernel.shape[-1])
    bias[0], bias[1] = -0.5, 0.5
    convolution.set_weights([bright, bias])
    weights = np.zeros(dense.kernel.shape)
    weights[0::8, 3], weights[1::8, 0] = 5, 5
    dense.set_weights([weights, np.zeros(7)])
    return network


@pytest.mark.parametrize("flat", [False, True])
def test_the_patch_that_speaks_for_a_label_is_the_hot_one(flat: bool):
    faces = np.zeros((2, 48, 48), np.uint8)
    faces[0, 30:42, 6:18] = 255
    faces[1, 4:16, 28:40] = 255
    heat = grad_cam(looks_at_light(flat=flat), faces, np.array([3, 3]))
    assert heat.shape == (2, 48, 48)
    assert heat.dtype == np.float32
    for one, face in zip(heat, faces, strict=True):
        assert one.max() == 1
        assert one.min() >= 0
        assert one[face > 0].mean() > 0.6
        assert one[face == 0].mean() < 0.15


def test_another_label_looks_elsewhere():
    face = np.zeros((1, 48, 48), np.uint8)
    face[0, 30:42, 6:18] = 255
    network = looks_at_light(flat=False)
    bright, dark = (grad_cam(network, face, np.array([label]))[0] for label in (3, 0))
    assert dark[face[0] == 0].mean() > 0.8
    assert dark[34:38, 10:14].mean() < 0.1 < bright[34:38, 10:14].mean()


def test_a_label_that_nothing_speaks_for_has_no_heat():
    heat = grad_cam(looks_at_light(flat=False), noise(1), np.array([5]))
    assert (heat == 0).all()


@pytest.mark.parametrize(("name", "filters"), [("compact", (4, 8)), ("capstone", (2, 2, 2, 4, 4, 4))])
def test_the_projects_networks_are_explained(name: str, filters: tuple[int, ...]):
    kernels = (3,) * len(filters)
    network = with_probabilities(build(name, filters=filters, kernel_sizes=kernels))
    heat = grad_cam(network, noise(3), np.array([0, 3, 6]))
    assert np.isfinite(heat).all()
    assert heat.max() == 1
    assert heat.std() > 0.01  # a place, not the whole face


def test_a_network_without_convolutions_is_refused():
    faces = keras.Input((48, 48), dtype="uint8")
    flat = keras.Model(faces, layers.Dense(7, activation="softmax")(layers.Flatten()(faces)))
    with pytest.raises(NetworkError, match="no convolution"):
        grad_cam(flat, noise(1), np.array([0]))


def test_the_gradient_of_a_sum_of_squares():
    value = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    got = gradient(lambda tensor: keras.ops.sum(keras.ops.square(tensor)), value)
    np.testing.assert_allclose(got, 2 * value)
