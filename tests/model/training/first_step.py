"""The first step of a training on any backend: `python -m tests.model.training.first_step NETWORK OUT`.

Weights and faces come from NumPy's generator and are the same on each backend. With a rate of 1 and no momentum, what a
variable loses in the step is its gradient.

It is computed in double precision, on faces without repeated pixels: at a kink (a ReLU at 0, two equal maxima in a
pool) each backend may fall to another side, and the gradients of a deep network then differ by hundredths, though all
of them are right.
"""

import sys
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np

from model.networks import build
from model.training.augmentation import Augmentation
from model.training.batches import Labelled
from model.training.fitting import Fitting, fit
from model.training.optimizers import Recipe

FACES = 32

# Keras's own weights, which would be replaced at once, are not drawn: JAX compiles a program for each shape of them,
# which takes nearly as long as the step.
UNDRAWN = patch.object(
    keras.initializers.VarianceScaling, "__call__", lambda _, shape, dtype: keras.ops.zeros(shape, dtype)
)


def first_step(name: str) -> dict[str, np.ndarray]:
    """Return the loss and, by the variable's path, each gradient."""
    keras.config.set_dtype_policy("float64")
    with UNDRAWN:
        network = build(name, dropout=0.0)  # what is dropped is drawn by each backend's own generator
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            fan_in = np.prod(variable.shape[:-1])
            variable.assign(rng.normal(size=variable.shape).astype("float64") * np.sqrt(2 / fan_in))
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables]
    data = Labelled(rng.integers(0, 256, (FACES, 48, 48), dtype=np.uint8), rng.integers(0, 7, FACES))
    step = Fitting(Recipe("sgd", 1.0), epochs=1, batch_size=FACES, seed=0, augment=Augmentation(flip=True))
    loss = fit(network, data, data, step).history[0].loss
    after = [keras.ops.convert_to_numpy(variable) for variable in network.trainable_variables]
    names = [f"{i} {variable.path}" for i, variable in enumerate(network.trainable_variables)]
    return {"loss": np.array(loss)} | {n: one - other for n, one, other in zip(names, before, after, strict=True)}


if __name__ == "__main__":
    np.savez(Path(sys.argv[2]), **first_step(sys.argv[1]))  # type: ignore[arg-type]
