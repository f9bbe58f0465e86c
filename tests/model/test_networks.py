from collections import Counter
from typing import get_args

import keras
import numpy as np
import pytest
from scipy.stats import norm

from model.labels import LABELS
from model.networks import NETWORKS, at_side, build, with_probabilities
from model.networks.parts import Activation
from model.summary import describe


def test_capstone_has_exactly_the_published_counts():
    network = build("capstone")
    trainable = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
    kinds = Counter(type(layer).__name__ for layer in network.layers)
    assert network.count_params() == 5_810_183
    assert trainable == 5_805_191
    assert network.count_params() - trainable == 4_992
    published = ("Conv2D", "BatchNormalization", "MaxPooling2D", "Dropout", "Dense", "Flatten")
    assert [kinds[kind] for kind in published] == [6, 7, 5, 7, 3, 1]


def test_compact_costs_at_most_110_million_multiply_adds():
    assert sum(layer.multiply_adds for layer in describe(build("compact"))) <= 110_000_000


def test_vgg_has_the_published_stages():
    layers = build("vgg").layers
    convolutions = [layer for layer in layers if type(layer).__name__ == "Conv2D"]
    assert [layer.filters for layer in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [layer.output.shape[1] for layer in convolutions] == [48, 48, 24, 24, 12, 12, 6, 6]
    assert sum(type(layer).__name__ == "BatchNormalization" for layer in layers) == 9


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_uint8_faces_and_gives_logits_or_probabilities(name):
    network = build(name)
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    logits = network.predict(faces, verbose=0)
    probabilities = with_probabilities(network).predict(faces, verbose=0)
    assert network.input.dtype == "uint8"
    assert logits.shape == (3, len(LABELS))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_at_another_side_is_the_same_weights(name):
    network = build(name)
    small = at_side(network, 32)
    assert at_side(network, 48) is network
    assert small.input_shape == (None, 32, 32)
    assert [id(variable) for variable in small.variables] == [id(variable) for variable in network.variables]
    other = build(name, side=32)
    other.set_weights(network.get_weights())
    faces = np.random.default_rng(2).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(small.predict(faces, verbose=0), other.predict(faces, verbose=0))


def test_weights_that_fit_one_size_alone_are_refused_at_another():
    with pytest.raises(ValueError, match="incompatible"):
        at_side(build("capstone"), 96)


def test_a_face_too_small_for_the_capstones_network_is_refused_in_a_sentence():
    assert build("capstone", side=32).input_shape == (None, 32, 32)
    with pytest.raises(ValueError, match=r"^capstone needs faces of at least 32 pixels, found 31$"):
        build("capstone", side=31)


def test_compact_sees_the_same_face_whatever_its_brightness_and_contrast():
    network = build("compact")
    face = np.random.default_rng(1).integers(40, 80, (1, 48, 48), dtype=np.uint8)
    brighter = (face * 2 + 30).astype(np.uint8)
    first, second = network.predict(face, verbose=0), network.predict(brighter, verbose=0)
    np.testing.assert_allclose(first, second, atol=0.03 * np.abs(first).max())


def test_knobs_change_the_network():
    network = build("compact", filters=[8, 16], kernel_sizes=[5, 3], blocks=[1, 3], dropout=0.5, l2=0.01)
    convolutions = [layer for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert len(convolutions) == 1 + 2 * (1 + 3) + 1  # the stem, two to a block, and a shortcut to twice the filters
    assert max(layer.filters for layer in convolutions) == 16
    assert (5, 5) in {layer.kernel_size for layer in convolutions}
    assert all(layer.kernel_regularizer is not None for layer in convolutions)
    assert {layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"} == {0.5}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_activation_is_that_of_every_layer_but_the_gates(name):
    def activations(network):
        dense = () if name == "compact" else ("Dense",)  # there, the gates are dense
        kinds = ("Activation", "Conv2D", *dense)
        found = [layer.get_config()["activation"] for layer in network.layers if type(layer).__name__ in kinds]
        return Counter(name for name in found if name != "linear")

    plain, smooth = activations(build(name)), activations(build(name, activation="silu"))
    assert plain.keys() == {"relu"}
    assert smooth == Counter(silu=plain["relu"])


def test_silu_and_gelu_are_those_of_their_papers():
    x = np.linspace(-4, 4, 9, dtype=np.float32)
    activated = {name: np.asarray(keras.layers.Activation(name)(x)) for name in get_args(Activation)}
    np.testing.assert_array_equal(activated["relu"], np.maximum(x, 0))
    np.testing.assert_allclose(activated["silu"], x / (1 + np.exp(-x)), atol=1e-6)
    np.testing.assert_allclose(activated["gelu"], x * norm.cdf(x), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "knobs", "sentence"),
    [
        ("resnet", {}, "no network is named 'resnet'"),
        ("capstone", {"filters": [8, 8]}, "capstone takes 6 filters and kernel sizes; found 2 filters"),
        ("capstone", {"blocks": [1]}, "capstone has no blocks"),
        ("compact", {"filters": [8]}, "found 1 filters and 3 kernel sizes and 1 blocks"),
    ],
)
def test_what_does_not_fit_is_said(name, knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(name, **knobs)
