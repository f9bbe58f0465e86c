import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from model.devices import DeviceError, set_up, what_is_missing
from tests.conftest import ROOT


@pytest.fixture
def no_gpu():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")


def test_auto_takes_the_cpu_where_there_is_no_gpu(no_gpu):
    device = set_up("auto", mixed_precision=True, deterministic=False)
    assert device.kind == "cpu"
    assert str(device).startswith("CPU, ")
    # Half precision is for GPUs alone.
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_a_gpu_that_is_asked_for_and_not_there_stops_with_what_is_missing(no_gpu):
    with pytest.raises(DeviceError, match=r"train\.device is gpu, and tensorflow sees none: .*make setup GPU=1|driver"):
        set_up("gpu", mixed_precision=False, deterministic=False)
    assert "NVIDIA driver" in what_is_missing() or "CUDA" in what_is_missing()


SPREAD = """
import model, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from model.training.augmentation import Augmentation
from model.training.backup import Backup
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit
from model.networks import build
from model.training.optimizers import Recipe
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    network = build("compact", filters=[4], kernel_sizes=[3])
    data = Labelled(np.zeros((32, 48, 48), np.uint8), np.arange(32) % 7)
    fitting = Fitting(Recipe("sgd", 0.1), epochs=1, batch_size=16, seed=0, augment=Augmentation())
    backup = Backup(Path("state.npz"))
    fit(network, data, data, fitting, backup=backup)
    assert len(backup.load(network).history) == 1
print("spread over", network.distribute_strategy.num_replicas_in_sync)
"""


def test_fitting_and_backup_work_spread_over_two_devices(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", SPREAD], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180
    )
    assert "spread over 2" in done.stdout, done.stderr[-2000:]
