"""What computes on the device: TensorFlow's kernels, which of them a processor has, and how Keras comes to them."""

import contextlib
import ctypes
import os
from pathlib import Path
from typing import NamedTuple

import keras

import model


def described() -> str:
    """Describe which kernels a CPU computes with, and which settings were made here: TensorFlow leaves many off."""
    if keras.backend.backend() != "tensorflow":
        return f"{keras.backend.backend()}, as it comes"
    if not model.IN_TIME:
        return "TensorFlow's oneDNN kernels are as its own default has them: it was imported before `model` could say"
    import tensorflow as tf  # noqa: PLC0415

    how = "on" if _onednn() else "off"
    once = ", each batch normalization trains by one of them" if _onednn() else ""
    alone = tf.config.threading.get_intra_op_parallelism_threads() == 1
    apart = ", each core computes parts of a batch of its own" if alone else ""
    kept = ", freed memory is kept" if hasattr(ctypes.CDLL(None), "mallopt") else ""
    return f"TensorFlow's oneDNN kernels are {how} (TF_ENABLE_ONEDNN_OPTS; on unless you set it){once}{apart}{kept}"


def _onednn() -> bool:
    return os.environ["TF_ENABLE_ONEDNN_OPTS"].lower() in ("1", "true")


def skip_gradient_sum(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Have an optimizer take the gradients as they are where one device makes them all, and return it.

    On TensorFlow, Keras sums them over the devices even then. That sum defines a gradient of its own, which TensorFlow
    never forgets, and with it the graph of each training step that was compiled: about 30 MB for each size of faces.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            optimizer._all_reduce_sum_gradients = list  # of pairs, as they come
    return optimizer


def computes_bfloat16() -> bool:
    """Say whether this CPU multiplies bfloat16, and oneDNN is there and free to have it do so; Linux alone tells.

    Without oneDNN, TensorFlow takes bfloat16 apart in software; and oneDNN refuses it where its environment holds it to
    older instructions.
    """
    if keras.backend.backend() != "tensorflow" or not _onednn():
        return False
    most = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    if not any(part in most.upper() for part in ("DEFAULT", "ALL", "BF16", "FP16", "AMX", "AVX10")):
        return False
    with contextlib.suppress(OSError):
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
        return bool(flags & {"avx512_bf16", "amx_bf16"})
    return False


class Normalized(NamedTuple):
    """Maps after batch normalization, with the mean and the (biased) variance of each channel before it.

    Attributes:
        maps: [n, h, w, c], of the dtype of those that came.
        mean: float32 [c].
        variance: float32 [c].
    """

    maps: keras.KerasTensor
    mean: keras.KerasTensor
    variance: keras.KerasTensor


def has_fused_batch_normalization(layer: keras.Layer) -> bool:
    """Say whether `fused_batch_normalization` computes what a layer does in training: on a CPU, where oneDNN is on.

    GPUs are left to Keras: what it would change there was not measured.
    """
    if keras.backend.backend() != "tensorflow" or not _onednn():
        return False
    import tensorflow as tf  # noqa: PLC0415

    return not tf.config.get_visible_devices("GPU") and layer.variable_dtype == "float32"


def fused_batch_normalization(
    maps: keras.KerasTensor, scale: keras.Variable, offset: keras.Variable, epsilon: float
) -> Normalized:
    """Normalize each channel over a batch, scale and offset it, in one kernel where Keras asks for a dozen.

    Args:
        maps: float32, bfloat16 or float16 [n, h, w, c]; half precision is summed up in float32.
        scale: float32 [c].
        offset: float32 [c].
        epsilon: added to the variance.
    """
    import tensorflow as tf  # noqa: PLC0415

    none = tf.zeros((0,))
    scaled, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=maps, scale=scale, offset=offset, mean=none, variance=none, epsilon=epsilon, is_training=True
    )
    counted = tf.cast(tf.size(maps) // tf.size(mean), "float32")
    return Normalized(scaled, mean, unbiased * (counted - 1) / counted)
