import keras
import numpy as np
import pytest

from model.networks import build
from model.training.fitting import Fitting, fit
from model.training.ghosts import with_ghost_batches
from model.training.guard import TrainingError
from model.training.optimizers import Recipe
from tests.model.training.test_fitting import bars, cut_off, recipe, trained


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    return build("compact", filters=[4, 8], kernel_sizes=[3, 3], dropout=0.0)


def drawn(n):
    return np.random.default_rng(n).integers(0, 256, (n, 48, 48), dtype=np.uint8)


def said(network, faces, *, training):
    return keras.ops.convert_to_numpy(network(faces, training=training))


def test_each_part_is_normalized_by_its_own_faces(network):
    faces, start = drawn(11), network.get_weights()
    parts = [faces[:2], faces[2:5], faces[5:8], faces[8:]]
    expected = np.concatenate([said(network, part, training=True) for part in parts])
    kept = network.get_weights()

    network.set_weights(start)
    np.testing.assert_allclose(said(with_ghost_batches(network, 4), faces, training=True), expected, atol=1e-5)
    for found, one in zip(network.get_weights(), kept, strict=True):
        np.testing.assert_allclose(found, one, atol=1e-5)  # the moving averages too

    network.set_weights(start)
    assert np.abs(said(network, faces, training=True) - expected).max() > 0.01


@pytest.mark.parametrize("faces", [4, 5, 11])
def test_a_trained_network_says_the_same_in_parts(network, faces):
    whole = said(network, drawn(faces), training=False)
    np.testing.assert_allclose(said(with_ghost_batches(network, 4), drawn(faces), training=False), whole, atol=1e-5)


def test_a_step_follows_the_gradient_of_the_whole_batch(network):
    """Four times the same faces: what each part says, and so the mean gradient, is that of the faces alone."""
    data, start = bars(7), network.get_weights()
    targets = np.eye(7, dtype=np.float32)[data.labels]

    def stepped(learner, times):
        network.set_weights(start)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        learner.compile(keras.optimizers.SGD(0.1), loss)
        learner.train_on_batch(np.tile(data.faces, (times, 1, 1)), np.tile(targets, (times, 1)))
        return [keras.ops.convert_to_numpy(variable) for variable in network.trainable_variables]

    before = [keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables]
    whole = stepped(network, 1)
    for found, expected in zip(stepped(with_ghost_batches(network, 4), 4), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert max(np.abs(one - other).max() for one, other in zip(whole, before, strict=True)) > 0.001


def test_a_training_in_parts_learns_and_ends_the_same_after_a_cut(tmp_path):
    # One face is left over for the last batch: too few for four parts.
    faces, parted = bars(113), recipe(ghost_batch=4)
    whole_weights, whole = trained(parted, faces)
    assert whole.history[-1].loss < whole.history[0].loss
    assert all(np.isfinite(weights).all() for weights in whole_weights)
    assert whole.history != trained(recipe(), faces)[1].history

    weights, progress = trained(parted, faces, backup=cut_off(parted, tmp_path, faces))
    assert progress.history == whole.history
    for one, other in zip(weights, whole_weights, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(
    ("batch", "ghost", "devices", "parts"),
    [(128, None, 1, 1), (128, 32, 1, 4), (128, 50, 1, 2), (16, 32, 1, 1), (128, 32, 2, 1)],
)
def test_a_batch_has_as_many_parts_as_ghosts_fit_in_and_one_for_each_of_several_devices(batch, ghost, devices, parts):
    fitting = Fitting(Recipe("sgd", 0.1), 1, batch, 0, recipe().augment, ghost_batch=ghost)
    assert fitting.parts(devices) == parts


@pytest.mark.parametrize(
    ("train", "validation", "sentence"),
    [
        (7, 16, "7 training faces are too few for 4 devices or parts of a batch, 2 for each: "),
        (16, 3, "3 validation faces are too few for 4 devices or parts of a batch, 1 for each: "),
    ],
)
def test_too_few_faces_for_the_parts_are_refused_in_a_sentence(network, train, validation, sentence):
    with pytest.raises(TrainingError, match=f"^{sentence}"):
        fit(network, bars(train), bars(validation), recipe(ghost_batch=4))
