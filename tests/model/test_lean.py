import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.conftest import ROOT


def started(backend, *command):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    whole = [sys.executable, *command]
    return subprocess.run(whole, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("backend", ["numpy", "theano"])
@pytest.mark.parametrize("module", ["tasks.train", "tasks.evaluate", "bench.gpu"])
def test_a_backend_that_can_not_train_stops_a_command_with_a_sentence(module, backend):
    done = started(backend, "-m", module)
    assert done.returncode == 1
    assert done.stderr == f"error: KERAS_BACKEND is '{backend}': expected jax, tensorflow, torch, which can train\n"


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_backend_that_is_not_installed_stops_a_command_with_what_to_install():
    done = started("torch", "-m", "tasks.train")
    assert done.returncode == 1
    assert done.stderr == (
        "error: Keras's backend is torch, which is not there: "
        "install torch or set KERAS_BACKEND=jax or set KERAS_BACKEND=tensorflow\n"
    )


def test_a_variable_left_empty_is_the_default_backend():
    done = started("", "-c", "import model, os; print(os.environ['KERAS_BACKEND'])")
    assert done.stdout == "tensorflow\n"


def test_what_keras_is_told_elsewhere_decides_nothing(tmp_path, monkeypatch):
    told = {"floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(told))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "2")
    names = "floatx", "epsilon", "image_data_format", "backend", "max_epochs", "max_steps_per_epoch"
    asked = ", ".join(f"keras.config.{name}()" for name in names)
    done = started("", "-c", f"import model.lean, keras; print({asked})")
    assert (done.stdout, done.stderr) == ("float32 1e-07 channels_last tensorflow None None\n", "")


def test_tensorflow_comes_in_without_a_word():
    done = started("tensorflow", "-c", "import model.lean, tensorflow")
    assert (done.returncode, done.stderr) == (0, "")
