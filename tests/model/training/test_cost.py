"""What a training costs, also one that was cut off."""

import time

import keras
import numpy as np
import psutil
import pytest

from model.devices import Device
from model.networks import build
from model.training.augmentation import Augmentation
from model.training.backup import Backup
from model.training.batches import Labelled
from model.training.cost import Spent, cost
from model.training.fitting import Fitting, fit
from model.training.guard import Watch
from model.training.optimizers import Recipe

CPU = Device("cpu", 1, "some processor")


def small_training(epochs, backup, watch=None):
    """Train a little, two batches an epoch, and return the progress and the seconds that all of it took."""
    start = time.perf_counter()
    keras.utils.set_random_seed(0)
    data = Labelled(np.random.default_rng(0).integers(0, 256, (32, 48, 48), dtype=np.uint8), np.arange(32) % 7)
    network = build("compact", filters=[4], kernel_sizes=[3])
    fitting = Fitting(Recipe("sgd", 0.1), epochs=epochs, batch_size=16, seed=0, augment=Augmentation())
    progress = fit(network, data, data, fitting, backup=backup, watch=watch or Watch())
    network.compile(fitting.recipe.build(2 * epochs))  # with an optimizer, as a backup holds one
    return progress, network, time.perf_counter() - start


def test_the_time_of_both_passes_is_counted(tmp_path):
    batches, ends = [], []

    def batch(*_):
        batches.append(time.perf_counter())
        time.sleep(0.3)

    watch = Watch(batch, lambda *_: ends.append(time.perf_counter()))
    progress, _, took = small_training(3, Backup(tmp_path / "state.npz"), watch)
    spent = progress.spent
    assert spent.seconds < took
    assert len(batches) == 6
    # Bounds on any machine: an epoch trains from its first batch on, and validates after its last.
    assert spent.training > sum(last - first for first, last in zip(batches[::2], batches[1::2], strict=True))
    assert 0 < spent.validation < sum(end - last for end, last in zip(ends, batches[1::2], strict=True))
    assert spent.training > 6 * 0.3


def test_time_before_a_restart_counts_and_time_between_does_not(tmp_path):
    backup = Backup(tmp_path / "state.npz")
    first, network, _ = small_training(2, backup)
    assert backup.load(network).spent == first.spent
    first.spent = Spent(1000.0, 500.0)
    backup.save(network, first)
    second, _, took = small_training(3, backup)
    assert len(second.history) == 3
    assert 1000 < second.spent.training < 1000 + took
    assert 500 < second.spent.validation < 500 + took
    # Nothing is left to train: nothing is added.
    third, _, _ = small_training(3, backup)
    assert third.spent == second.spent


def test_time_that_ends_with_an_error_is_not_counted():
    spent = Spent()
    with pytest.raises(KeyError), spent.on("training"):
        raise KeyError
    assert spent == Spent()


def test_the_figures_of_a_cpu():
    found = cost(CPU, Spent(training=40.0, validation=10.0), faces=2000)
    assert found.device == "CPU, some processor"
    assert (found.seconds, found.gpu_hours, found.faces_per_second) == (50.0, 0.0, 50.0)
    assert found.peak_gpu_memory_mb is None


def test_several_gpus_count_as_many_hours():
    spent = Spent(training=3000.0, validation=600.0)
    assert [cost(Device("gpu", n, "some card"), spent, faces=1).gpu_hours for n in (1, 4)] == [1.0, 4.0]


def test_peak_memory_knows_what_was_taken_and_given_back():
    before = cost(CPU, Spent(), faces=0).peak_memory_mb
    now = psutil.Process().memory_info().rss / 1e6
    np.ones(int((before - now + 200) * 1e6), np.uint8)
    after = cost(CPU, Spent(), faces=0).peak_memory_mb
    assert after - before == pytest.approx(200, abs=20)
