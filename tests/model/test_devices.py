import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from model.devices import DeviceError, core_count, set_up, what_is_missing
from model.kernels import computes_bfloat16
from tests.conftest import ROOT


@pytest.fixture
def no_gpu():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")


def test_auto_takes_the_cpu_where_there_is_no_gpu(no_gpu):
    device = set_up("auto", mixed_precision=True, deterministic=False)
    assert device.kind == "cpu"
    assert str(device).startswith("CPU, ")
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    half = "avx512_bf16" in flags or "amx_bf16" in flags
    assert computes_bfloat16() is half
    try:
        assert keras.config.dtype_policy().name == ("mixed_bfloat16" if half else "float32")
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "held", [{"TF_ENABLE_ONEDNN_OPTS": "0"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"DNNL_MAX_CPU_ISA": "avx512_core"}]
)
def test_what_would_emulate_or_refuse_half_precision_is_no_processor_that_has_it(held, monkeypatch):
    free = computes_bfloat16()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
    assert computes_bfloat16() is free
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    for name, value in held.items():
        monkeypatch.setenv(name, value)
    assert not computes_bfloat16()


def test_a_gpu_that_is_asked_for_and_not_there_stops_with_what_is_missing(no_gpu):
    with pytest.raises(DeviceError, match=r"train\.device is gpu, and tensorflow sees none: .*make setup GPU=1|driver"):
        set_up("gpu", mixed_precision=False, deterministic=False)
    assert "NVIDIA driver" in what_is_missing() or "CUDA" in what_is_missing()


@pytest.mark.parametrize("module", ["tasks.train.stage", "tasks.evaluate", "model.devices", "bench.throughput"])
def test_onednn_is_on_whatever_is_imported_first_and_a_stage_takes_nothing_along_that_it_never_uses(module):
    code = f"import sys, {module}, model.kernels; print(model.kernels.described(), 'with', *sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment["PATH"] = "/nowhere"  # where there is no grep, `model.importing.unheard` keeps nothing out
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    kernels, _, modules = done.stdout.partition(" with ")
    assert "oneDNN kernels are on" in kernels
    if module.startswith("tasks."):
        assert not {"jax", "scipy", "sklearn"} & set(modules.split())
    # TensorFlow's own word.
    assert "oneDNN custom operations are on" in done.stderr


FAULTS = """
import model.lean, keras, resource, numpy as np
from model.networks import build
from model.training.augmentation import Augmentation
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit
from model.training.guard import Watch
from model.training.optimizers import Recipe
seen = []
watch = Watch(batch=lambda *_: seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt))
data = Labelled(np.zeros((64 * 14, 48, 48), np.uint8), np.arange(64 * 14) % 7)
few = Labelled(data.faces[:8], data.labels[:8])
fitting = Fitting(Recipe("sgd", 0.01), epochs=1, batch_size=64, seed=0, augment=Augmentation())
fit(build("compact", filters=[32], kernel_sizes=[3]), data, few, fitting, watch=watch)
print("faults a step", (seen[-1] - seen[4]) // (len(seen) - 5))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count page faults in other ways")
def test_the_memory_of_a_step_serves_the_next_one():
    done = subprocess.run([sys.executable, "-c", FAULTS], cwd=ROOT, capture_output=True, text=True, check=True)
    # One layer's maps of a batch, 64 × 24 × 24 × 32 floats, are 1,152 pages; a step makes dozens of such.
    assert int(done.stdout.split()[-1]) < 1152


APART = """
import sys
import model.lean, model.devices, model.kernels
import tensorflow as tf
if sys.argv[2] == "late":
    tf.constant(1.0)
model.devices.set_up("cpu", mixed_precision=False, deterministic=True, parts=int(sys.argv[1]))
tf.constant(1.0)
print(model.kernels.described(), "threads", tf.config.threading.get_inter_op_parallelism_threads())
"""


@pytest.mark.skipif(core_count() == 1, reason="a single core has no other to leave a part to")
def test_cores_compute_parts_of_their_own_where_each_has_one_and_tensorflow_does_not_compute_yet():
    def said(parts, when):
        command = [sys.executable, "-c", APART, str(parts), when]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    apart = "each core computes parts of a batch of its own"
    assert apart in said(core_count(), "in time")
    assert f"threads {core_count()}" in said(core_count(), "in time")
    assert apart not in said(core_count() - 1, "in time")
    assert apart not in said(core_count(), "late")


SPREAD = """
import model.lean, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from model.training.augmentation import Augmentation
from model.training.backup import Backup
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit, macro_f1
from model.training.growth import Growth
from model.networks import build
from model.training.optimizers import Recipe
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    network = build("compact", filters=[4], kernel_sizes=[3])
    # One face is left over for the last batch: too few for two devices.
    data = Labelled(np.zeros((33, 48, 48), np.uint8), np.arange(33) % 7)
    recipe = Recipe("muon", 0.01, ema=0.9)
    fitting = Fitting(recipe, epochs=2, batch_size=16, seed=0, augment=Augmentation(), growth=Growth(32, 0.5))
    backup = Backup(Path("state.npz"))
    fit(network, data, data, fitting, backup=backup, devices=2)
    assert 0 <= macro_f1(network, data, shares=2) <= 1
    network.compile(recipe.build(4))  # with an optimizer, as the backup holds one
    network.optimizer.build(network.trainable_variables)
    assert [epoch.side for epoch in backup.load(network).history] == [32, 48]
print("spread over", network.distribute_strategy.num_replicas_in_sync)
"""


def test_fitting_and_backup_work_spread_over_two_devices(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", SPREAD], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180
    )
    assert "spread over 2" in done.stdout, done.stderr[-2000:]


SPREAD_BY_JAX = """
import contextlib
import model.lean, keras, numpy as np
from model.training.augmentation import Augmentation
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit, macro_f1
from model.networks import build
from model.training.optimizers import Recipe
# One face is left over for the last batch of training, and one of validation, where none may be missing.
data = Labelled(np.random.default_rng(0).integers(0, 256, (37, 48, 48), dtype=np.uint8), np.arange(37) % 7)
devices = keras.distribution.list_devices("cpu")
fitting = Fitting(Recipe("nesterov", 0.001), epochs=1, batch_size=16, seed=0, augment=Augmentation())
def figures(spread):
    keras.utils.set_random_seed(0)
    with keras.distribution.DataParallel(devices=devices).scope() if spread else contextlib.nullcontext():
        network = build("compact", filters=[4], kernel_sizes=[3], dropout=0.0)
        epoch = fit(network, data, data, fitting, devices=len(devices) if spread else 1).history[0]
        return epoch.loss, epoch.val_loss, macro_f1(network, data, shares=len(devices) if spread else 1)
np.testing.assert_allclose(figures(True), figures(False), rtol=0.01)
print("spread over", len(devices))
"""


def test_jax_fits_on_two_devices_as_on_one_also_where_they_cannot_share_the_faces_evenly():
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", SPREAD_BY_JAX]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert "spread over 2" in done.stdout, done.stderr[-2000:]


KEPT = """
import os, sys
import model.lean, jax, keras, numpy as np
from model.devices import set_up
from model.networks import build
device = set_up("cpu", mixed_precision=False, deterministic=True)
logits = build("compact", filters=[4], kernel_sizes=[3])(np.zeros((1, 48, 48), np.uint8))
print(device.kind, logits.devices(), "of", jax.config.jax_platforms, os.environ["XLA_FLAGS"])
print("with", *sys.modules)
"""


def test_jax_computes_on_the_cpu_and_repeats_itself_where_it_is_told_to():
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cuda,cpu", "XLA_FLAGS": ""}
    done = subprocess.run(
        [sys.executable, "-c", KEPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert "cpu {CpuDevice(id=0)} of cpu --xla_gpu_deterministic_ops=true\n" in done.stdout, done.stderr[-2000:]
    assert "tensorflow" not in done.stdout.partition("with")[2].split()
