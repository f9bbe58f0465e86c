import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from model.networks import NETWORKS, build
from model.training.fitting import fit
from model.training.normalizing import with_fused_normalization
from model.training.saving import save_network
from model.training.voting import with_votes
from tests.conftest import ROOT
from tests.model.training.test_fitting import bars, recipe


def with_drawn_weights(network):
    """With scales of 1, offsets of 0 and fresh averages, what is left out would not show."""
    rng = np.random.default_rng(0)
    for variable in network.variables:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return network


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(0)
    return with_drawn_weights(build(request.param, dropout=0.0, activation="gelu"))  # no kink at which rounding shows


def step(network, start, shown):
    """Return what it says, the gradients, and what it leaves in its variables."""
    network.set_weights(start)
    with tf.GradientTape() as tape:
        said = network(shown, training=True)
        loss = tf.reduce_mean(tf.square(tf.cast(said, "float32")))
    gradients = tape.gradient(loss, [variable.value for variable in network.trainable_variables])
    return [said, *gradients, *network.get_weights()]


def apart(network, shown):
    """Return how far each figure of a step by one kernel is from Keras's, as a share of the largest of its array."""
    start, one = network.get_weights(), with_fused_normalization(network)
    assert one is not network
    expected, found = step(network, start, shown), step(one, start, shown)
    moved = [np.abs(new - old).max() for new, old in zip(network.get_weights(), start, strict=True)]
    assert max(moved) > 0.01  # the moving averages
    network.set_weights(start)
    assert len(found) == len(expected)
    pairs = [(np.asarray(a, "float32"), np.asarray(b, "float32")) for a, b in zip(found, expected, strict=True)]
    return [float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3)) for a, b in pairs]


def test_a_step_is_that_of_keras_but_for_rounding(network):
    faces = np.random.default_rng(0).integers(0, 256, (12, 48, 48), dtype=np.uint8)
    assert max(apart(network, faces)) < 1e-3


@pytest.mark.parametrize("shape", [(6, 6, 5), (5,)])
@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-5), ("mixed_bfloat16", 0.02)])
def test_maps_and_units_are_normalized_in_either_precision(shape, dtype, within):
    x = keras.Input(shape)
    network = with_drawn_weights(keras.Model(x, layers.BatchNormalization(momentum=0.8, dtype=dtype)(x)))
    assert with_fused_normalization(network).output.dtype == network.output.dtype
    shown = np.random.default_rng(0).normal(2.0, 3.0, (9, *shape)).astype("float32")
    assert max(apart(network, shown)) < within


def test_it_shares_every_weight_in_the_same_order_and_says_the_same_untrained(network):
    voting = with_votes(network, 10)
    one = with_fused_normalization(voting)
    assert list(map(id, one.variables)) == list(map(id, voting.variables))
    assert list(map(id, one.trainable_variables)) == list(map(id, voting.trainable_variables))
    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    np.testing.assert_array_equal(one(faces, training=False), voting(faces, training=False))


def operations(network, faces):
    graph = tf.function(lambda shown: network(shown, training=True)).get_concrete_function(faces).graph
    return Counter(operation.type for operation in graph.get_operations())


def test_each_normalization_is_one_operation(network):
    faces = tf.zeros((2, 48, 48), tf.uint8)
    count = sum(isinstance(layer, layers.BatchNormalization) for layer in network.layers)
    assert count > 5
    assert operations(with_fused_normalization(network), faces)["FusedBatchNormV3"] == count
    assert operations(network, faces)["FusedBatchNormV3"] == 0


def test_a_trained_network_is_saved_with_the_layers_of_keras(tmp_path):
    network = build("compact", filters=[4], kernel_sizes=[3])
    fit(network, bars(28), bars(28), recipe())
    save_network(network, tmp_path / "model.keras")
    code = "import keras, sys; keras.saving.load_model('model.keras'); assert 'model' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


ELSEWHERE = """
import model.lean, keras
from model.networks import build
from model.training.normalizing import with_fused_normalization
network = build("compact", filters=[4], kernel_sizes=[3])
assert with_fused_normalization(network) is network
"""


@pytest.mark.parametrize("elsewhere", [{"TF_ENABLE_ONEDNN_OPTS": "0"}, {"KERAS_BACKEND": "jax"}])
def test_where_there_is_no_such_kernel_keras_computes(elsewhere):
    if find_spec(elsewhere.get("KERAS_BACKEND", "tensorflow")) is None:
        pytest.skip("jax is not installed")
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True, cwd=ROOT, env=os.environ | elsewhere)


def test_double_precision_stays_with_keras():
    x = keras.Input((4,))
    network = keras.Model(x, layers.BatchNormalization(dtype="float64")(x))
    assert with_fused_normalization(network) is network
