"""Losses by name, of logits."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="facial_emotion")
class Dice(keras.losses.Loss):
    """One less the soft Dice overlap of a face's probabilities p with its target t, 0 to 1.

    1 - (2·sum(p·t) + smooth) / (sum(p²) + sum(t²) + smooth), over the labels: Milletari et al. 2016, "V-Net", where the
    sums run over voxels. Here each face is a volume of its own, so that weights of faces mean what they say.

    Args:
        smooth: above 0; the larger, the flatter.
        label_smoothing: of `smoothed`.
        name: of the loss.
        reduction: of the losses of a batch, as Keras names it.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        label_smoothing: float = 0.0,
        name: str = "dice",
        reduction: str = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.smooth, self.label_smoothing = smooth, label_smoothing

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 [b] of targets and logits, float32 [b, 7]."""
        targets = smoothed(y_true, self.label_smoothing)
        probabilities = ops.exp(ops.log_softmax(y_pred))
        overlap = 2 * ops.sum(probabilities * targets, axis=-1) + self.smooth
        return 1 - overlap / (ops.sum(ops.square(probabilities) + ops.square(targets), axis=-1) + self.smooth)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "smooth": self.smooth, "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="facial_emotion")
class Focal(keras.losses.Loss):
    """Cross-entropy that gives faces already learnt less say: -sum(t·(1 - p)^gamma·log p) over the labels.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", for any targets t that sum to 1. Nothing is clipped, as it
    is in Keras's own: a face that is certainly wrong keeps its gradient.

    Args:
        gamma: 0 or more; at 0 it is cross-entropy.
        label_smoothing: of `smoothed`.
        name: of the loss.
        reduction: of the losses of a batch, as Keras names it.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        label_smoothing: float = 0.0,
        name: str = "focal",
        reduction: str = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.gamma, self.label_smoothing = gamma, label_smoothing

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 [b] of targets and logits, float32 [b, 7]."""
        targets = smoothed(y_true, self.label_smoothing)
        log_p = ops.log_softmax(y_pred)
        # log(1 - p) as the sum of the other labels: 1 - p would round to 0, whose powers have no gradient.
        own = ops.eye(log_p.shape[-1], dtype="bool")
        log_rest = ops.logsumexp(ops.where(own, -float("inf"), ops.expand_dims(log_p, 1)), axis=-1)
        return -ops.sum(targets * ops.exp(self.gamma * log_rest) * log_p, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "gamma": self.gamma, "label_smoothing": self.label_smoothing}


def smoothed(targets: keras.KerasTensor, share: float) -> keras.KerasTensor:
    """Return targets [b, k] with a share, 0 to below 1, spread evenly over all labels (Szegedy et al. 2016)."""
    return targets * (1 - share) + share / targets.shape[-1]


@dataclass(frozen=True)
class Objective:
    """What a training lowers; the fields are those of `train` in `params.yaml`."""

    loss: Literal["crossentropy", "dice", "focal"] = "crossentropy"
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0
    dice_smooth: float = 1.0

    def build(self) -> keras.losses.Loss:
        """Return the loss of targets, float32 [b, 7] with rows that sum to 1, and logits; it computes in float32."""
        match self.loss:
            case "crossentropy":
                return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=self.label_smoothing)
            case "dice":
                return Dice(self.dice_smooth, self.label_smoothing)
            case "focal":
                return Focal(self.focal_gamma, self.label_smoothing)


CROSSENTROPY: Final = Objective()
"""The plain one."""
