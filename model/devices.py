"""The device that computes: chosen, set up, and described.

With `model.kernels` and `model.inspecting.gradients`, the only module that calls the backend itself.
"""

import contextlib
import ctypes
import os
import platform
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import keras

from model.heap import share_one_heap
from model.kernels import computes_bfloat16


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Device:
    """What a training runs on.

    Attributes:
        kind: `cpu` or `gpu`.
        count: how many of them share each batch.
        name: the model's name, as the driver or the system gives it.
        scope: a context manager; networks built inside it are spread over all devices.
    """

    kind: Literal["cpu", "gpu"]
    count: int
    name: str
    scope: Any = field(default_factory=contextlib.nullcontext)

    def __str__(self) -> str:
        many = f"{self.count} × " if self.count > 1 else ""
        return f"{self.kind.upper()}, {many}{self.name}"


def set_up(
    device: Literal["auto", "cpu", "gpu"], *, mixed_precision: bool, deterministic: bool, parts: int = 1
) -> Device:
    """Choose the device and set precision and determinism, before any network is built.

    TensorFlow takes a GPU's memory as it needs it. Where there are several GPUs, all of them are used, but for PyTorch,
    on which Keras computes on one.

    Args:
        device: `auto` takes a GPU where there is one.
        mixed_precision: compute in half precision, weights in float32: on a GPU in float16 with loss scaling, on a CPU
            that has instructions for it in bfloat16. Other CPUs, which would be ten times slower, stay at float32.
        deterministic: use only kernels whose result is the same in each run, PyTorch where it has them.
        parts: in how many parts each batch is computed (`model.training.ghosts.with_ghost_batches`). Where there is one
            for each core of a CPU, each core computes a part of its own; else all cores share each operation, and most
            of them wait in the small ones. TensorFlow takes that once a process, before it computes anything.

    Raises:
        DeviceError: `gpu` was asked for and none is found, or `cpu` and PyTorch would not keep to it.
    """
    if deterministic:
        _repeat_itself()
    gpus = [] if device == "cpu" else _gpus()
    if device == "gpu" and not gpus:
        raise DeviceError(f"train.device is gpu, and {keras.backend.backend()} sees none: {what_is_missing()}")
    share_one_heap()
    if not gpus:
        _keep_to_cpu()
    elif keras.backend.backend() == "tensorflow":
        _take_memory_as_needed(gpus)
    keras.mixed_precision.set_dtype_policy(_policy(gpus) if mixed_precision else "float32")
    if gpus:
        return Device("gpu", len(gpus), _gpu_name(gpus[0]), _spread(gpus))
    if parts >= core_count() > 1:
        _give_each_core_a_part()
    return Device("cpu", 1, _cpu_name())


def _give_each_core_a_part() -> None:
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf  # noqa: PLC0415

    # If it computes already, the parts come one after another, as `model.kernels.described` says.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(core_count())


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _policy(gpus: list[Any]) -> str:
    if gpus:
        return "mixed_float16"
    return "mixed_bfloat16" if computes_bfloat16() else "float32"


def peak_bytes(index: int) -> int | None:
    """Return the most memory that networks took on one GPU, in bytes, or None where the backend won't say.

    A figure that can't be had must not cost a training that is done.
    """
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf  # noqa: PLC0415

            with contextlib.suppress(ValueError, tf.errors.OpError):
                return int(tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"])
        case "jax":
            import jax  # noqa: PLC0415

            with contextlib.suppress(RuntimeError):
                return (jax.devices("gpu")[index].memory_stats() or {}).get("peak_bytes_in_use")
        case "torch":
            import torch  # noqa: PLC0415

            with contextlib.suppress(RuntimeError):
                return int(torch.cuda.max_memory_allocated(index))
    return None


def what_is_missing() -> str:
    """Say, in one clause each, why no GPU is seen: the build, the driver, or the libraries that do not load."""
    if keras.backend.backend() != "tensorflow":
        return f"install a CUDA build of {keras.backend.backend()}"
    import tensorflow as tf  # noqa: PLC0415 - only the backend in use may be imported

    faults = []
    if not Path("/proc/driver/nvidia/version").exists():
        faults.append("there is no NVIDIA driver (`nvidia-smi` should list the card; install the driver first)")
    if not tf.test.is_built_with_cuda():
        faults.append("this TensorFlow is a CPU-only build (`make setup GPU=1` installs the other)")
        return " and ".join(faults)
    build = tf.sysconfig.get_build_info()
    libraries = {
        "CUDA runtime": f"libcudart.so.{str(build['cuda_version']).split('.')[0]}",
        "cuDNN": f"libcudnn.so.{build['cudnn_version']}",
    }
    for name, library in libraries.items():
        if not _loads(library):
            faults.append(f"the {name} library {library} does not load (`make setup GPU=1` installs it)")
    return " and ".join(faults) or "driver and libraries are there; is CUDA_VISIBLE_DEVICES set to hide the card?"


def _loads(library: str) -> bool:
    """Say whether a library loads from the system's paths or from NVIDIA's wheels, where TensorFlow looks as well."""
    wheels = Path(sysconfig.get_path("purelib"), "nvidia").glob(f"*/lib/{library}")
    for place in (library, *map(str, wheels)):
        with contextlib.suppress(OSError):
            ctypes.CDLL(place)
            return True
    return False


def _gpus() -> list[Any]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return list(tf.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "torch":
        return _torch_gpus()
    with contextlib.suppress(RuntimeError):  # what JAX says where there is none
        return list(keras.distribution.list_devices("gpu"))
    return []


def _torch_gpus() -> list[str]:
    import torch  # noqa: PLC0415

    if os.environ.get("KERAS_TORCH_DEVICE") == "cpu":
        return []
    return [torch.cuda.get_device_name()] if torch.cuda.is_available() else []


def _repeat_itself() -> None:
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf  # noqa: PLC0415

            tf.config.experimental.enable_op_determinism()
        case "jax":  # read when it first looks for devices
            flags = os.environ.get("XLA_FLAGS", "").split()
            os.environ["XLA_FLAGS"] = " ".join(dict.fromkeys([*flags, "--xla_gpu_deterministic_ops=true"]))
        case "torch":
            import torch  # noqa: PLC0415

            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)


def _keep_to_cpu() -> None:
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf  # noqa: PLC0415

            tf.config.set_visible_devices([], "GPU")
        case "jax":
            import jax  # noqa: PLC0415

            jax.config.update("jax_platforms", "cpu")
            jax.config.update("jax_default_device", jax.devices("cpu")[0])  # where it has looked for others already
        case "torch" if _torch_gpus():
            raise DeviceError(
                "train.device is cpu, and Keras has PyTorch compute on the GPU: set KERAS_TORCH_DEVICE=cpu"
            )


def _take_memory_as_needed(gpus: list[Any]) -> None:
    import tensorflow as tf  # noqa: PLC0415

    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)


def _spread(gpus: list[Any]) -> Any:
    if len(gpus) == 1:
        return contextlib.nullcontext()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return tf.distribute.MirroredStrategy().scope()
    return keras.distribution.DataParallel(devices=gpus).scope()


def _gpu_name(gpu: Any) -> str:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
    return str(gpu)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that says no name there
        model = platform.processor() or platform.machine()
    return f"{model}, {core_count()} {'core' if core_count() == 1 else 'cores'}"
