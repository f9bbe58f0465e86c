"""The losses against their formulas in float64, and where float32 is hardest."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.losses import Objective
from model.training.voting import WithVotes

OBJECTIVES = [
    Objective("crossentropy"),
    Objective("crossentropy", label_smoothing=0.1),
    Objective("dice"),
    Objective("dice", label_smoothing=0.1, dice_smooth=0.2),
    Objective("focal"),
    Objective("focal", label_smoothing=0.1, focal_gamma=0.5),
    Objective("focal", focal_gamma=5.0),
]
each_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=str)


def expected(objective, targets, logits):
    """Return the loss of each face, float64 [b], straight from the formula."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p, t = np.exp(log_p), targets * (1 - objective.label_smoothing) + objective.label_smoothing / 7
    match objective.loss:
        case "crossentropy":
            return -(t * log_p).sum(axis=1)
        case "focal":
            return -(t * (1 - p) ** objective.focal_gamma * log_p).sum(axis=1)
        case "dice":
            smooth = objective.dice_smooth
            return 1 - (2 * (p * t).sum(axis=1) + smooth) / ((p**2).sum(axis=1) + (t**2).sum(axis=1) + smooth)


def value_and_gradient(objective, targets, logits):
    """Return the loss of each face, and the gradient of their sum: [b] and [b, 7]."""
    loss = objective.build()
    loss.reduction = "none"
    variable = tf.Variable(logits, dtype="float32")
    with tf.GradientTape() as tape:
        values = loss(targets.astype("float32"), variable)
    return values.numpy(), tape.gradient(values, variable).numpy()


def drawn(seed, faces=5, spread=3.0):
    """Draw soft targets and logits, float64 [faces, 7]."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(7, 0.3), faces), rng.normal(0, spread, (faces, 7))


@each_objective
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_face_s_loss_is_the_formula_s(objective, seed):
    targets, logits = drawn(seed)
    values, _ = value_and_gradient(objective, targets, logits)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected(objective, targets, logits), rtol=1e-5, atol=1e-6)


@each_objective
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_gradient_is_that_of_central_differences(objective, seed):
    targets, logits = drawn(seed)
    _, gradient = value_and_gradient(objective, targets, logits)
    for label, step in enumerate(np.eye(7) * 1e-5):
        rise = expected(objective, targets, logits + step) - expected(objective, targets, logits - step)
        np.testing.assert_allclose(gradient[:, label], rise / 2e-5, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("loss", ["crossentropy", "dice", "focal"])
def test_certain_logits_have_a_finite_loss_and_gradient(loss, smoothing, gamma):
    certain = np.eye(7) * 2e4 - 1e4
    objective = Objective(loss, smoothing, focal_gamma=gamma)
    for targets in (np.eye(7), np.roll(np.eye(7), 1, axis=0)):
        values, gradient = value_and_gradient(objective, targets, certain)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()


def test_what_is_certainly_right_costs_nothing_and_what_is_certainly_wrong_the_most():
    certain, right, wrong = np.eye(7) * 2e4 - 1e4, np.eye(7), np.roll(np.eye(7), 1, axis=0)
    for loss, most in (("crossentropy", 2e4), ("focal", 2e4), ("dice", 1 - 1 / 3)):
        values, gradient = value_and_gradient(Objective(loss), right, certain)
        np.testing.assert_array_equal([values.max(), abs(gradient).max()], 0)
        values, gradient = value_and_gradient(Objective(loss), wrong, certain)
        np.testing.assert_allclose(values, most, rtol=1e-6)
        if loss != "dice":  # its gradient ends with the softmax's
            np.testing.assert_allclose((gradient * wrong).sum(axis=1), -1, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), smoothing=st.floats(0, 0.9), spread=st.sampled_from([0.1, 3.0, 100.0]))
def test_focal_at_gamma_zero_is_crossentropy(seed, smoothing, spread):
    targets, logits = drawn(seed, spread=spread)
    focal = value_and_gradient(Objective("focal", smoothing, focal_gamma=0.0), targets, logits)
    plain = value_and_gradient(Objective("crossentropy", smoothing), targets, logits)
    for one, other in zip(focal, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), gammas=st.tuples(st.floats(0, 5), st.floats(0, 5)))
def test_a_larger_gamma_never_gives_a_face_more_say(seed, gammas):
    targets, logits = drawn(seed)
    little, much = (
        value_and_gradient(Objective("focal", focal_gamma=gamma), targets, logits)[0] for gamma in sorted(gammas)
    )
    assert (much <= little * (1 + 1e-5) + 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), smooth=st.floats(0.01, 10))
def test_dice_lies_between_nothing_and_one_and_is_nothing_for_the_target_itself(seed, smooth):
    targets, logits = drawn(seed)
    objective = Objective("dice", dice_smooth=smooth)
    values, _ = value_and_gradient(objective, targets, logits)
    assert ((values >= -1e-6) & (values < 1)).all()
    reached, _ = value_and_gradient(objective, targets, np.log(np.maximum(targets, 1e-30)))
    np.testing.assert_allclose(reached, 0, atol=1e-6)


@each_objective
def test_weights_of_faces_multiply_their_losses(objective):
    targets, logits = drawn(1)
    weights = np.array([0, 1, 2, 0.5, 3], "float32")
    weighted = objective.build()(targets.astype("float32"), logits.astype("float32"), sample_weight=weights)
    assert float(weighted) == pytest.approx((weights * expected(objective, targets, logits)).mean(), rel=1e-5)


@each_objective
def test_half_precision_is_left_for_the_loss(objective):
    targets, logits = drawn(2)
    half = logits.astype("float16")
    found = objective.build()(targets.astype("float32"), tf.constant(half))
    assert found.dtype == tf.float32
    assert float(found) == pytest.approx(expected(objective, targets, half.astype(float)).mean(), rel=1e-5)


@each_objective
def test_a_loss_is_written_down_and_read_again(objective):
    loss = objective.build()
    loss.reduction = "sum"
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    targets, logits = (array.astype("float32") for array in drawn(3))
    assert type(again) is type(loss)
    assert float(again(targets, logits)) == float(loss(targets, logits))


@each_objective
def test_votes_add_their_cross_entropy_to_a_face_s_loss_where_it_has_any(objective):
    targets, logits = drawn(3)
    votes, said = np.random.default_rng(4).dirichlet(np.ones(10), 5), np.random.default_rng(5).normal(0, 2, (5, 10))
    votes[1] = 0
    log_p = said - np.log(np.exp(said).sum(axis=1, keepdims=True))
    loss = WithVotes(objective.build(), 0.7)
    loss.reduction = "none"
    both = np.hstack([logits, said]).astype("float32")
    found = loss(np.hstack([targets, votes]).astype("float32"), both).numpy()
    np.testing.assert_allclose(
        found, expected(objective, targets, logits) - 0.7 * (votes * log_p).sum(axis=1), rtol=1e-5
    )
    alone = loss(targets.astype("float32"), both).numpy()
    np.testing.assert_allclose(alone, expected(objective, targets, logits), rtol=1e-5)
