"""One code for each backend of Keras: the first step of a training is the same."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from model.networks import NETWORKS
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def stepped(tmp_path_factory):
    """Return a function that gives loss and gradients of a network on a backend, each in a process of its own."""
    folder, known = tmp_path_factory.mktemp("steps"), {}

    def step(backend, name):
        if (backend, name) not in known:
            out = folder / f"{backend}-{name}.npz"
            command = [sys.executable, "-m", "tests.model.training.first_step", name, str(out)]
            environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            with np.load(out) as saved:
                known[backend, name] = dict(saved)
        return known[backend, name]

    return step


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_loss_and_gradients_are_those_of_tensorflow(stepped, backend, name):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    expected, found = stepped("tensorflow", name), stepped(backend, name)
    assert found.keys() == expected.keys()
    assert len(found) > 20
    for what, value in expected.items():
        np.testing.assert_allclose(found[what], value, atol=1e-4, err_msg=what)
    # Gradients that were all next to nothing would agree as well.
    assert max(np.abs(value).max() for value in expected.values()) > 0.01


RESUMED = """
import sys
from dataclasses import replace
from pathlib import Path
import model.lean, keras, numpy as np
from model.networks import build
from model.training.augmentation import Augmentation
from model.training.backup import Backup
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit
from model.training.guard import TrainingError, Watch
from model.training.optimizers import Recipe

labels = np.arange(28) % 7
data = Labelled(np.random.default_rng(0).integers(0, 255, (28, 48, 48), dtype=np.uint8), labels)
recipe = Recipe("nesterov", 0.02, momentum=0.9, ema=0.9)
ghost = int(sys.argv[2]) or None
fitting = Fitting(recipe, epochs=3, batch_size=14, seed=0, augment=Augmentation(flip=True), ghost_batch=ghost)
many = replace(fitting, steps_per_execution=3)

def train(backup=None, stop=None, fitting=fitting):
    def halt(index, figures):
        if index == stop:
            raise KeyboardInterrupt
    keras.utils.set_random_seed(1)
    network = build("compact", filters=[4], kernel_sizes=[3])
    return fit(network, data, data, fitting, backup=backup, watch=Watch(epoch=halt))

backup = Backup(Path(sys.argv[1]))
try:
    train(backup, stop=1)
except KeyboardInterrupt:
    assert backup.path.exists()
assert train(backup).history == train().history
try:
    assert train(fitting=many).history == train().history
except TrainingError as error:
    assert keras.backend.backend() == "torch" and "PyTorch takes one batch a call" in str(error), error
print("the same on", keras.backend.backend())
"""


@pytest.mark.parametrize("ghost_batch", [0, 7])
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_resumed_training_with_averaged_weights_is_the_same_and_so_are_several_steps_a_call(
    tmp_path, backend, ghost_batch
):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, "-c", RESUMED, str(tmp_path / "state.npz"), str(ghost_batch)]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert f"the same on {backend}" in done.stdout, done.stderr[-2000:]
