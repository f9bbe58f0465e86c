import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from model.networks import build
from model.training.augmentation import Augmentation
from model.training.backup import Backup, BackupError, Epoch
from model.training.batches import Batches, Labelled, balanced_weights, effective_weights, label_weights
from model.training.canary import prove_learning
from model.training.fitting import Fitting, fit, macro_f1
from model.training.growth import Growth
from model.training.guard import TrainingError, Watch
from model.training.losses import Objective
from model.training.optimizers import Recipe
from model.training.saving import save_network

TINY = {"filters": [8], "kernel_sizes": [3]}
DEEPER = {"filters": [4, 8], "kernel_sizes": [3, 3]}


def bars(n, seed=0):
    """Faces whose label is the width of their bars."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    faces = rng.integers(0, 100, (n, 48, 48), dtype=np.uint8)
    faces += (np.arange(48) // (labels[:, None] + 1) % 2 * 100).astype(np.uint8)[:, None, :]
    return Labelled(faces, labels)


def recipe(**changed):
    settings = {"epochs": 3, "batch_size": 16, "seed": 7, "augment": Augmentation(shift=0.02, erasing=0.2)}
    settings["recipe"] = Recipe("nesterov", 0.05, schedule="one_cycle", warmup=0.2)
    return Fitting(**(settings | changed))


def trained(fitting, data=None, size=TINY, **rest):
    keras.utils.set_random_seed(3)
    network = build("compact", **size)
    progress = fit(network, data or bars(112), bars(56, seed=1), fitting, **rest)
    return [keras.ops.convert_to_numpy(variable) for variable in network.variables], progress


class KilledError(Exception):
    """Stands for the kill that ends a training."""


def cut_off(fitting, folder, data=None):
    """Train until the second epoch is done, and return the backup that is left."""

    def cut(index, figures):
        if index == 1:
            raise KilledError

    backup = Backup(folder / "state.npz")
    with pytest.raises(KilledError):
        trained(fitting, data, backup=backup, watch=Watch(epoch=cut))
    return backup


@pytest.fixture(scope="module")
def plain():
    """What a training leaves that nothing disturbs."""
    return trained(recipe())


def test_a_network_learns_and_keeps_its_best_epoch():
    weights, progress = trained(recipe(epochs=8))
    accuracies = [epoch.val_accuracy for epoch in progress.history]
    assert accuracies[progress.best_epoch] == max(accuracies) > 0.5
    assert progress.best_epoch == accuracies.index(max(accuracies))
    for now, best in zip(weights, progress.best_weights, strict=True):
        assert (now == best).all()


@pytest.mark.parametrize("loss", ["crossentropy", "dice", "focal"])
def test_a_network_learns_with_each_loss(loss):
    _, progress = trained(recipe(epochs=12, objective=Objective(loss, label_smoothing=0.1)), size=DEEPER)
    assert progress.history[progress.best_epoch].val_accuracy > 0.5
    losses = [epoch.loss for epoch in progress.history]
    assert losses[-1] < losses[0]


def test_a_network_learns_the_targets_where_they_are_not_the_labels():
    def next_label(labels):
        return (labels + 1) % 7

    data, validation = bars(112), bars(56, seed=1)
    targets = np.eye(7, dtype=np.float32)[next_label(data.labels)]
    keras.utils.set_random_seed(3)
    network = build("compact", **TINY)
    moved = Labelled(validation.faces, next_label(validation.labels))
    progress = fit(network, Labelled(data.faces, data.labels, targets), moved, recipe(epochs=8))
    assert progress.history[progress.best_epoch].val_accuracy > 0.5


def test_votes_are_learnt_beside_the_labels_and_leave_the_network_as_it_was(tmp_path):
    data = bars(112)
    votes = np.eye(10, dtype=np.float32)[data.labels]
    votes[::5] = 0
    voted = Labelled(data.faces, data.labels, votes=votes)
    cut = cut_off(recipe(vote_weight=1.0), tmp_path, voted)
    resumed, _ = trained(recipe(vote_weight=1.0), voted, backup=cut)
    whole, progress = trained(recipe(vote_weight=1.0), voted)
    for one, other in zip(whole, resumed, strict=True):
        assert (one == other).all()

    network = build("compact", **TINY)
    assert len(network.variables) == len(whole)
    for variable, value in zip(network.variables, whole, strict=True):
        variable.assign(value)
    validation = bars(56, seed=1)
    logits = network.predict(validation.faces, verbose=0)
    own = -np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[np.arange(56), validation.labels]
    assert progress.history[progress.best_epoch].val_loss == pytest.approx(own.mean(), rel=1e-4)
    unheard, _ = trained(recipe(vote_weight=0.0), voted)
    assert any((one != other).any() for one, other in zip(whole, unheard, strict=True))


def test_macro_f1_is_scikit_learns_also_where_a_label_is_absent():
    keras.utils.set_random_seed(3)
    network = build("compact", **TINY)
    fit(network, bars(112), bars(56, seed=1), recipe(epochs=4))
    few = bars(300, seed=2)
    few = Labelled(few.faces[few.labels < 5], few.labels[few.labels < 5].astype(np.int8))
    for data in (bars(300, seed=2), few):
        said = network.predict(data.faces, verbose=0).argmax(axis=1)
        expected = f1_score(data.labels, said, labels=range(7), average="macro", zero_division=0)
        assert macro_f1(network, data) == pytest.approx(expected)


def test_a_training_that_was_cut_off_ends_as_one_that_was_not(plain, tmp_path):
    whole_weights, whole = plain
    backup = cut_off(recipe(), tmp_path)
    seen = []
    weights, progress = trained(recipe(), backup=backup, watch=Watch(epoch=lambda index, figures: seen.append(index)))
    assert seen == [0, 1, 2]
    assert progress.history == whole.history
    assert progress.best_epoch == whole.best_epoch
    for one, other in zip(weights, whole_weights, strict=True):
        assert (one == other).all()


def test_several_steps_a_call_leave_the_same_weights_and_are_told_of_once_a_call(plain, tmp_path):
    seen = []
    watch = Watch(batch=lambda *told: seen.append(told))
    weights, progress = trained(recipe(steps_per_execution=3), watch=watch)  # of 7 batches: 3, 3 and 1
    assert [faces for index, faces, _, _ in seen if index == 1] == [48, 96, 112]
    assert [loss for _, faces, loss, _ in seen if faces == 112] == pytest.approx([e.loss for e in progress.history])

    one_by_one, expected = plain
    assert progress.history == expected.history
    resumed, _ = trained(recipe(), backup=cut_off(recipe(steps_per_execution=3), tmp_path))
    for one, other, third in zip(weights, one_by_one, resumed, strict=True):
        assert (one == other).all()
        assert (one == third).all()


def test_several_steps_a_call_stop_at_a_loss_that_is_no_number():
    with pytest.raises(TrainingError, match=r"the loss is nan in epoch 1 at batch 3: lower train\.learning_rate"):
        trained(recipe(recipe=Recipe("sgd", 1e20), steps_per_execution=3))


def test_a_training_on_growing_faces_ends_the_same_after_a_cut_and_chooses_among_whole_ones(tmp_path):
    growing = recipe(epochs=5, growth=Growth(24, 0.6))
    whole_weights, whole = trained(growing)
    assert [epoch.side for epoch in whole.history] == [24, 32, 40, 48, 48]
    assert whole.best_epoch >= 3

    backup = cut_off(growing, tmp_path)
    weights, progress = trained(growing, backup=backup)
    assert progress.history == whole.history
    for one, other in zip(weights, whole_weights, strict=True):
        assert (one == other).all()


@pytest.fixture
def float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_a_training_in_float16_on_growing_faces_ends_the_same_after_a_cut(float16, tmp_path):
    halved = recipe(epochs=3, growth=Growth(24, 0.5), recipe=Recipe("nesterov", 0.05, ema=0.9))
    whole_weights, whole = trained(halved)
    assert [epoch.side for epoch in whole.history] == [24, 40, 48]
    weights, progress = trained(halved, backup=cut_off(halved, tmp_path))
    assert progress.history == whole.history
    for one, other in zip(weights, whole_weights, strict=True):
        assert (one == other).all()

    keras.config.set_dtype_policy("float32")
    _, single = trained(halved)
    assert single.history != whole.history
    losses = [[epoch.loss for epoch in history] for history in (whole.history, single.history)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize(("ghost_batch", "each"), [(None, 1), (8, 2)])  # a network, and the same in parts
def test_what_learnt_from_smaller_faces_is_let_go(ghost_batch, each):
    alive, graphs = [], []

    def count(index: int, figures: Epoch) -> None:
        gc.collect()
        things = gc.get_objects()
        models = [thing for thing in things if isinstance(thing, keras.Model) and thing.name == "growing"]
        alive.append((figures.side, sorted(network.input_shape[1] for network in models)))
        graphs.append(sum(isinstance(thing, tf.Graph) for thing in things))

    network = keras.models.clone_model(build("compact", **TINY))
    network.name = "growing"
    growing = recipe(epochs=2, growth=Growth(32, 0.5), ghost_batch=ghost_batch)
    fit(network, bars(56), bars(28), growing, watch=Watch(epoch=count))
    whole = [48] * (each + 1)  # and the network itself
    assert alive == [(32, [32] * each + whole), (48, whole)]
    assert graphs[1] <= graphs[0]


def test_faces_that_are_too_small_for_the_network_are_refused_before_the_first_epoch():
    network = build("capstone", filters=[4] * 6)
    small = recipe(epochs=2, growth=Growth(24, 1.0))
    with pytest.raises(TrainingError, match=r"capstone can't take faces of 24 × 24 pixels: raise train\.start_side"):
        fit(network, bars(16), bars(16), small)


@given(start=st.integers(16, 60), share=st.floats(0, 1), epochs=st.integers(1, 60), whole=st.sampled_from([32, 48, 64]))
def test_faces_only_grow_and_are_whole_in_time(start, share, epochs, whole):
    sides = [Growth(start, share).side(epoch, epochs, whole) for epoch in range(epochs)]
    assert sides == sorted(sides)
    assert sides[-1] == whole
    assert all(side == whole for epoch, side in enumerate(sides) if epoch >= share * epochs)
    assert sides[0] == (min(start, whole) if share * epochs > 0 and epochs > 1 else whole)


def test_the_moving_average_is_kept_and_training_goes_on_from_the_weights(tmp_path):
    def averaging(ema):
        return recipe(augment=Augmentation(mixup=0.2), recipe=Recipe("nesterov", 0.05, ema=ema))

    plain, _ = trained(averaging(0.0))
    weights, whole = trained(averaging(0.9))
    # A decay of almost nothing averages over the last step alone; validation then sees what it sees without.
    last, almost = trained(averaging(1e-6))
    for one, other in zip(plain, last, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert [epoch.loss for epoch in almost.history] == pytest.approx([epoch.loss for epoch in whole.history], rel=1e-3)
    assert any((one != other).any() for one, other in zip(plain, weights, strict=True))

    backup = cut_off(averaging(0.9), tmp_path)
    resumed, progress = trained(averaging(0.9), backup=backup)
    assert progress.history == whole.history
    assert all((one == other).all() for one, other in zip(resumed, weights, strict=True))


def test_early_stopping_waits_its_patience_over_a_restart(tmp_path):
    # A rate of almost nothing: soon no epoch is better than the best.
    still = recipe(epochs=40, patience=3, monitor="val_loss")
    still = Fitting(**{**vars(still), "recipe": Recipe("sgd", 1e-12)})
    _, whole = trained(still)
    assert len(whole.history) - 1 - whole.best_epoch == 3

    backup = cut_off(still, tmp_path)
    _, resumed = trained(still, backup=backup)
    assert resumed.history == whole.history


def test_a_loss_that_is_no_number_stops():
    fitting = Fitting(**{**vars(recipe()), "recipe": Recipe("sgd", 1e30)})
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) .*lower train\.learning_rate"):
        trained(fitting)


def test_the_canary_lets_a_sound_network_go_and_stops_one_that_cannot_learn():
    assert prove_learning(build("compact", filters=[32], kernel_sizes=[3]), bars(112), seed=0) < 100
    with pytest.raises(TrainingError, match=r"after 300 steps on one batch of 32 faces, accuracy is"):
        prove_learning(build("compact", **TINY, dropout=0.99), bars(112), seed=0)


def test_an_epoch_is_every_face_once_in_an_order_of_its_own():
    data = Labelled(np.arange(50, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8), np.arange(50) % 7)

    def order(epoch):
        epoch_of = Batches(data, 16, seed=(1, epoch))
        return np.concatenate([epoch_of[i][0][:, 0, 0] for i in range(len(epoch_of))])

    assert sorted(order(0)) == list(range(50))
    assert (order(0) == order(0)).all()
    assert (order(0) != order(1)).any()


def test_balanced_weights_give_each_label_the_same_say():
    labels = np.repeat([0, 1, 3], [10, 30, 60])
    weights = balanced_weights(labels)
    np.testing.assert_allclose([weights[label] * np.sum(labels == label) for label in (0, 1, 3)], 100 / 3, rtol=1e-6)
    assert weights[[2, 4, 5, 6]].tolist() == [0, 0, 0, 0]


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 3000), min_size=7, max_size=7).filter(any),
    beta=st.floats(0, 1, exclude_max=True),
)
def test_effective_weights_are_the_formula_s_and_sum_to_the_labels_present(counts, beta):
    weights = effective_weights(np.repeat(np.arange(7, dtype=np.int8), counts), beta)
    present = np.flatnonzero(counts)
    # 1 + beta + … + beta^(n-1), summed term by term: (1 - beta^n) / (1 - beta) without its cancellation.
    effective = np.array([np.sum(beta ** np.arange(counts[label])) for label in present])
    expected = len(present) / effective / np.sum(1 / effective)
    np.testing.assert_allclose(weights[present], expected, rtol=1e-5)
    assert weights.sum() == pytest.approx(len(present))
    assert not np.delete(weights, present).any()
    assert weights.dtype == np.float32


def test_the_ends_of_beta_are_no_weights_and_balanced_ones():
    labels = np.repeat([0, 1, 3], [10, 30, 60])
    assert effective_weights(labels, 0.0).tolist() == [1, 1, 0, 1, 0, 0, 0]
    almost, balanced = effective_weights(labels, 1 - 1e-9), balanced_weights(labels)
    np.testing.assert_allclose(almost / almost.sum(), balanced / balanced.sum(), rtol=1e-5)


def test_class_weights_go_by_name():
    labels = bars(30).labels[:24]
    assert label_weights("none", labels, 0.9) is None
    assert (label_weights("balanced", labels, 0.9) == balanced_weights(labels)).all()
    assert (label_weights("effective", labels, 0.9) == effective_weights(labels, 0.9)).all()


def test_targets_follow_their_faces_and_weights_the_labels():
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 20).astype(np.float32)
    data = Labelled(np.arange(20, dtype=np.uint8)[:, None, None], np.arange(20) % 7, targets)
    batches = Batches(data, 6, seed=(0, 3), weights=np.arange(7, dtype=np.float32))
    for faces, held_to, weights in (batches[i] for i in range(len(batches))):
        rows = faces[:, 0, 0]
        assert (held_to == targets[rows]).all()
        assert (weights == rows % 7).all()


def test_class_weights_reach_the_loss():
    data = bars(14)
    batches = Batches(data, 14, seed=(0, 0), weights=np.arange(7, dtype=np.float32))
    _, one_hot, weights = batches[0]
    assert (weights == one_hot.argmax(axis=1)).all()


def test_equal_networks_are_saved_as_equal_bytes_and_load_again(tmp_path):
    faces = bars(4).faces
    for name in ("first.keras", "second.keras"):
        keras.utils.clear_session()
        keras.utils.set_random_seed(5)
        network = build("compact", **TINY)
        save_network(network, tmp_path / name)
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()
    loaded = keras.saving.load_model(tmp_path / "first.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(faces, verbose=0), network.predict(faces, verbose=0))


def damaged(content):
    """Yield what may become of a backup's bytes, each with a name."""
    yield "empty", b""
    yield "cut", content[: len(content) // 2]
    yield "text", b"no network"
    rng = np.random.default_rng(0)
    for index in rng.integers(0, len(content), 40):
        yield f"byte {index}", content[:index] + bytes([content[index] ^ 0x55]) + content[index + 1 :]


def test_a_damaged_backup_is_refused_in_a_sentence_and_never_half_loaded(tmp_path):
    backup = cut_off(recipe(), tmp_path)
    whole = backup.path.read_bytes()
    keras.utils.set_random_seed(3)
    network = build("compact", **TINY)
    optimizer = recipe().recipe.build(21)
    optimizer.build(network.trainable_variables)
    network.compile(optimizer)
    before = network.get_weights()
    refused, untouched = {}, []
    for name, content in damaged(whole):
        backup.path.write_bytes(content)
        try:
            backup.load(network)
        except BackupError as error:
            refused[name] = str(error)
            untouched.append(
                all((one == other).all() for one, other in zip(network.get_weights(), before, strict=True))
            )
        else:  # a byte that says nothing, such as a date in the archive
            network.set_weights(before)
    assert len(refused) > 30
    assert {"empty", "cut", "text"} <= set(refused)
    assert all(sentence.startswith(f"{backup.path}: damaged (") for sentence in refused.values())
    assert all(untouched)
    backup.path.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"state\.npz: damaged \(.*\); remove it, and the training starts anew$"):
        trained(recipe(), backup=backup)


def test_a_backup_of_another_network_is_refused(tmp_path):
    backup = cut_off(recipe(), tmp_path)
    with pytest.raises(TrainingError, match=r"state\.npz: damaged \("):
        fit(build("compact", filters=[5], kernel_sizes=[3]), bars(112), bars(56), recipe(), backup=backup)
