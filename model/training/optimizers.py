"""Optimizers and learning-rate schedules by name."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import ops

from model.training.muon import Muon


@keras.saving.register_keras_serializable(package="facial_emotion")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises from 1/25 of its peak and falls to 1/10,000 of it, along half cosines.

    Smith & Topin 2018, "Super-Convergence", with the shape and the factors that have become usual.

    Args:
        peak: the highest rate.
        steps: batches of the whole training.
        warmup: share of the steps in which the rate rises, 0 to 1.
    """

    START, END = 1 / 25, 1 / 1e4

    def __init__(self, peak: float, steps: int, warmup: float) -> None:
        super().__init__()
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Return the rate, a float32 scalar, at `step`, an integer scalar that starts at 0."""
        step = ops.cast(step, "float32")
        rise = self.warmup * self.steps
        up = ops.clip(step / max(rise, 1e-9), 0, 1)
        down = ops.clip((step - rise) / max(self.steps - rise, 1e-9), 0, 1)
        rising = self.START + (1 - self.START) * (1 - ops.cos(math.pi * up)) / 2
        falling = self.END + (1 - self.END) * (1 + ops.cos(math.pi * down)) / 2
        return self.peak * ops.where(step < rise, rising, falling)

    def get_config(self) -> dict[str, float]:
        """Return the arguments."""
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


@dataclass(frozen=True)
class Recipe:
    """An optimizer with its schedule; the fields are those of `train` in `params.yaml`."""

    optimizer: Literal["adam", "adamw", "sgd", "momentum", "nesterov", "muon"]
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    warmup: float = 0.0
    ema: float = 0.0

    def build(self, steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer for a training of `steps` batches.

        Weight decay is decoupled (Loshchilov & Hutter 2019) and spares biases and batch normalization. With `ema`, the
        optimizer keeps an exponential moving average of the weights (Polyak & Juditsky 1992) with this decay per step,
        and puts it in their place when `fit` ends.
        """
        rate = self._rate(steps)
        rest: dict[str, Any] = {"weight_decay": self.weight_decay or None}
        if self.ema:
            rest |= {"use_ema": True, "ema_momentum": self.ema}
        match self.optimizer:
            case "adam":
                optimizer = keras.optimizers.Adam(rate, **rest)
            case "adamw":
                optimizer = keras.optimizers.AdamW(rate, **(rest | {"weight_decay": self.weight_decay}))
            case "sgd":
                optimizer = keras.optimizers.SGD(rate, **rest)
            case "momentum" | "nesterov":
                nesterov = self.optimizer == "nesterov"
                optimizer = keras.optimizers.SGD(rate, momentum=self.momentum, nesterov=nesterov, **rest)
            case "muon":
                optimizer = Muon(rate, self.momentum, **rest)
        if self.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer

    def _rate(self, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
        match self.schedule:
            case "constant":
                return self.learning_rate
            case "one_cycle":
                return OneCycle(self.learning_rate, steps, self.warmup)
            case "cosine":
                rise = round(self.warmup * steps)
                if rise == 0:
                    return keras.optimizers.schedules.CosineDecay(self.learning_rate, max(1, steps))
                return keras.optimizers.schedules.CosineDecay(
                    0.0, max(1, steps - rise), warmup_target=self.learning_rate, warmup_steps=rise
                )
