"""A small proof, before the long run, that this network learns on this device."""

import keras
import numpy as np

from model.kernels import skip_gradient_sum
from model.training.augmentation import resized
from model.training.batches import Labelled, one_hot
from model.training.guard import TrainingError
from model.training.losses import CROSSENTROPY, Objective

FACES, RATE, STEPS, ENOUGH = 32, 3e-3, 300, 0.75
"""Faces in the batch, Adam's rate, most steps on it, and the accuracy on it that is proof.

A network of one block of four filters takes up to 191 steps with any of the losses, one of sixteen up to 40 and
`params.yaml`'s own two; at Adam's usual 1e-3 the narrow ones took three times as many.
"""


def prove_learning(network: keras.Model, data: Labelled, seed: int, objective: Objective = CROSSENTROPY) -> int:
    """Overfit one small batch with Adam; give a network of its own, since it is spoilt for the run.

    A device or a network that computes wrongly stays near chance here (Karpathy 2019, "A Recipe for Training Neural
    Networks": overfit one batch).

    Args:
        network: freshly built, giving logits.
        data: faces to draw the batch from, evenly by label where that is possible; brought to the network's size.
        seed: of the draw.
        objective: what is lowered.

    Returns:
        The number of steps that it took.

    Raises:
        TrainingError: the batch is not learnt after `STEPS` steps.
    """
    rows = _even(data.labels, np.random.default_rng(seed))
    faces, labels = resized(data.faces[rows], network.input_shape[1]), one_hot(data.labels[rows])
    network.compile(skip_gradient_sum(keras.optimizers.Adam(RATE)), objective.build(), metrics=["accuracy"])
    loss = accuracy = float("nan")
    for step in range(1, STEPS + 1):
        loss, accuracy = (float(value) for value in network.train_on_batch(faces, labels))
        # train_on_batch averages over the steps since the last reset.
        network.reset_metrics()
        if accuracy >= ENOUGH and np.isfinite(loss):
            return step
    raise TrainingError(
        f"after {STEPS} steps on one batch of {len(rows)} faces, accuracy is {accuracy:.0%} (loss {loss:.3g}) where a "
        f"working network reaches {ENOUGH:.0%}: the device computes wrongly (try train.device: cpu) or the network "
        "can't learn (look at model.dropout, model.filters and train.loss); train.canary: false trains all the same"
    )


def _even(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of at most `FACES` faces, taking the labels in turn."""
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        own = np.flatnonzero(labels[shuffled] == label)
        turn[own] = np.arange(len(own))
    return shuffled[np.argsort(turn, kind="stable")][:FACES]
