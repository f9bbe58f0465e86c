import keras
import numpy as np
import pytest

from model.networks import build
from model.training.muon import Muon, is_hidden_kernel, orthogonal
from model.training.optimizers import OneCycle, Recipe


def rates(schedule, steps):
    return np.array([float(keras.ops.convert_to_numpy(schedule(step))) for step in range(steps)])


def test_one_cycle_rises_to_its_peak_once_and_falls_to_almost_nothing():
    values = rates(OneCycle(0.1, steps=100, warmup=0.3), 101)
    assert values[0] == pytest.approx(0.1 / 25)
    assert values.argmax() == 30
    assert values.max() == pytest.approx(0.1)
    assert (np.diff(values[:31]) > 0).all()
    assert (np.diff(values[30:]) < 0).all()
    assert values[100] == pytest.approx(0.1 / 1e4)


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_one_cycle_holds_at_the_ends_of_its_warm_up(warmup):
    values = rates(OneCycle(0.1, steps=10, warmup=warmup), 10)
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(0.1 if warmup == 0 else 0.1 / 25)


def test_cosine_warms_up_and_ends_at_zero():
    optimizer = Recipe("adam", 0.01, schedule="cosine", warmup=0.1).build(100)
    values = rates(optimizer._learning_rate, 101)
    assert values[0] == pytest.approx(0)
    assert values.max() == pytest.approx(0.01)
    assert values.argmax() == 10
    assert values[100] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_ema_is_the_moving_average_of_the_weights_after_each_step(decay):
    kernel = keras.Variable([4.0, -1.0], name="kernel")
    optimizer = Recipe("sgd", 0.1, ema=decay).build(10)
    average = None
    for gradient in ([1.0, 2.0], [-3.0, 0.5], [0.0, -8.0], [2.0, 2.0]):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [kernel])
        weights = keras.ops.convert_to_numpy(kernel).copy()
        # Polyak & Juditsky 1992, as Keras starts it: the average begins with the weights after the first step.
        average = weights if average is None else decay * average + (1 - decay) * weights
    optimizer.finalize_variable_values([kernel])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), average, rtol=1e-6)


def step(recipe, start, gradient):
    """Return kernel and bias after one step from `start` with one gradient for both."""
    kernel, bias = keras.Variable(start, name="kernel"), keras.Variable(start, name="bias")
    optimizer = recipe.build(10)
    gradients = [keras.ops.convert_to_tensor(gradient, "float32")] * 2
    optimizer.apply(gradients, [kernel, bias])
    return keras.ops.convert_to_numpy(kernel), keras.ops.convert_to_numpy(bias)


def test_sgd_and_nesterov_take_the_step_of_the_textbook():
    start, gradient = np.array([1.0, -2.0], "float32"), np.array([0.5, 0.25], "float32")
    kernel, _ = step(Recipe("sgd", 0.1), start, gradient)
    np.testing.assert_allclose(kernel, start - 0.1 * gradient, rtol=1e-6)
    kernel, _ = step(Recipe("momentum", 0.1, momentum=0.9), start, gradient)
    np.testing.assert_allclose(kernel, start - 0.1 * gradient, rtol=1e-6)
    kernel, _ = step(Recipe("nesterov", 0.1, momentum=0.9), start, gradient)
    np.testing.assert_allclose(kernel, start - 0.1 * 1.9 * gradient, rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "momentum", "nesterov", "muon"])
def test_weight_decay_is_decoupled_and_spares_the_bias(name):
    start, none = np.array([2.0, -2.0], "float32"), np.zeros(2, "float32")
    kernel, bias = step(Recipe(name, 0.1, weight_decay=0.01), start, none)
    np.testing.assert_allclose(kernel, start * (1 - 0.1 * 0.01), rtol=1e-5)
    np.testing.assert_allclose(bias, start, rtol=1e-6)


@pytest.mark.parametrize("shape", [(32, 32), (288, 64), (48, 200)])
def test_orthogonal_keeps_the_directions_and_evens_the_lengths(shape):
    matrix = np.random.default_rng(0).normal(size=shape).astype("float32")
    result = keras.ops.convert_to_numpy(orthogonal(keras.ops.convert_to_tensor(matrix)))
    left, lengths, right = np.linalg.svd(matrix, full_matrices=False)
    # In the basis of the singular vectors the result is diagonal, and each entry is about 1.
    diagonal = left.T @ result @ right.T
    assert np.abs(diagonal - np.diag(np.diag(diagonal))).max() < 1e-3
    assert (np.diag(diagonal)[lengths > lengths[0] / 100] > 0.6).all()
    assert (np.diag(diagonal) < 1.3).all()


def test_muon_turns_hidden_kernels_and_takes_plain_steps_elsewhere():
    network = build("compact", filters=[8, 16], kernel_sizes=[3, 3])
    hidden = {variable.path for variable in network.trainable_variables if is_hidden_kernel(variable)}
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    kernels = {v.path for v in network.trainable_variables if v.name == "kernel"}
    assert kernels - hidden == {first.kernel.path, network.get_layer("logits").kernel.path}

    before = [keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables]
    rng = np.random.default_rng(1)
    gradients = [rng.normal(size=variable.shape).astype("float32") for variable in network.trainable_variables]
    Muon(0.1, momentum=0.9).apply([keras.ops.convert_to_tensor(g) for g in gradients], network.trainable_variables)
    for variable, start, gradient in zip(network.trainable_variables, before, gradients, strict=True):
        moved = (start - keras.ops.convert_to_numpy(variable)) / 0.1
        if variable.path in hidden:
            matrix = moved.reshape(-1, variable.shape[-1])
            lengths = np.linalg.svd(matrix, compute_uv=False) / max(1, matrix.shape[1] / matrix.shape[0]) ** 0.5
            assert 0.5 < lengths.min() <= lengths.max() < 1.3
        else:
            np.testing.assert_allclose(moved, 1.9 * gradient, rtol=1e-3, atol=1e-4)


def test_muon_is_made_again_from_its_configuration():
    optimizer = Recipe("muon", 0.02, momentum=0.8, weight_decay=0.05, schedule="one_cycle").build(10)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, Muon)
    assert again.get_config() == optimizer.get_config()
