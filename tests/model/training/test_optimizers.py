import keras
import numpy as np
import pytest

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


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "momentum", "nesterov"])
def test_weight_decay_is_decoupled_and_spares_the_bias(name):
    start, none = np.array([2.0, -2.0], "float32"), np.zeros(2, "float32")
    kernel, bias = step(Recipe(name, 0.1, weight_decay=0.01), start, none)
    np.testing.assert_allclose(kernel, start * (1 - 0.1 * 0.01), rtol=1e-5)
    np.testing.assert_allclose(bias, start, rtol=1e-6)
