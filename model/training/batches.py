"""Faces on their way to the network: shuffled, augmented and batched, from the seed alone."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import keras
import numpy as np

from model.labels import LABELS
from model.training.augmentation import Augmentation, mixed, resized

AHEAD: Final = 2
"""Threads that make batches while the network learns. With fewer than two, Keras leaves that to TensorFlow's pipeline,
which tunes itself, and whose end after each epoch can wait up to a minute for the tuner to wake."""


@dataclass(frozen=True)
class Labelled:
    """Faces with their labels.

    Attributes:
        faces: uint8 [n, side, side].
        labels: integers [n] of 0 to 6.
        targets: float32 [n, 7], rows that sum to 1: what the loss holds the network to, in place of the labels.
        votes: float32 [n, k], a crowd's votes over k answers, rows that sum to 1, or to 0 for a face without votes:
            what a second output learns.
    """

    faces: np.ndarray
    labels: np.ndarray
    targets: np.ndarray | None = None
    votes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


def label_weights(kind: Literal["none", "balanced", "effective"], labels: np.ndarray, beta: float) -> np.ndarray | None:
    """Return the say of each label in the loss, float32 [7], or None where each face has the same; `beta` as below."""
    match kind:
        case "none":
            return None
        case "balanced":
            return balanced_weights(labels)
        case "effective":
            return effective_weights(labels, beta)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Return float32 [7]: n / (labels present · faces of the label), 0 for an absent label (King & Zeng 2001)."""
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def effective_weights(labels: np.ndarray, beta: float) -> np.ndarray:
    """Weigh each label by the inverse of its effective number of faces (Cui et al. 2019, "Class-Balanced Loss").

    Args:
        labels: integers [n] of 0 to 6.
        beta: 0 gives labels equal weights; the nearer to 1, the nearer they are to the inverse of the label's faces.

    Returns:
        float32 [7], in proportion to (1 - beta) / (1 - beta^faces), summing to the number of labels present; 0 for an
        absent label.
    """
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = np.where(counts > 0, (1 - beta) / (1 - beta ** np.maximum(counts, 1)), 0)
    return (weights * np.count_nonzero(counts) / weights.sum()).astype(np.float32)


class Batches(keras.utils.PyDataset):
    """Batches of faces for Keras; without `seed`, in the order given and unchanged.

    With a seed they are those of one epoch of training: order and augmentation follow from (seed, epoch, batch)
    alone, so that an epoch that is run again after a crash is the same.
    """

    def __init__(
        self,
        data: Labelled,
        batch_size: int,
        *,
        seed: tuple[int, int] | None = None,
        augment: Augmentation | None = None,
        weights: np.ndarray | None = None,
        side: int | None = None,
        count: int | None = None,
    ) -> None:
        """Take the data as it is.

        Args:
            data: the faces.
            batch_size: faces a batch; the last one may have fewer.
            seed: of the run, and the index of the epoch.
            augment: needs a seed.
            weights: float32 [7], the say of each label in the loss.
            side: height and width of the faces that come, in pixels; by default those of the data.
            count: how many faces come, those first in the order; by default all.
        """
        super().__init__(workers=AHEAD)
        self._data, self._batch_size, self.seed, self._weights = data, batch_size, seed, weights
        self._augment, self.side = augment, side or data.faces.shape[1]
        order = np.arange(len(data)) if seed is None else np.random.default_rng(seed).permutation(len(data))
        self._order = order[:count]

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Return faces uint8 [b, side, side], targets float32 [b, 7] and, with class weights, those of the labels [b].

        The targets are the labels one-hot, where the data has no others; its votes stand beside them, [b, 7 + k].
        """
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        faces, labels = self._data.faces[rows], self._data.labels[rows]
        targets = one_hot(labels) if self._data.targets is None else self._data.targets[rows]
        if self._data.votes is not None:
            targets = np.hstack([targets, self._data.votes[rows]])
        weights = None if self._weights is None else self._weights[labels]
        if self._augment is not None and self.seed is not None:
            rng = np.random.default_rng((*self.seed, index))
            faces = self._augment(faces, rng, self.side)
            if self._augment.mixup:
                faces, targets, weights = mixed(faces, targets, weights, self._augment.mixup, rng)
        faces = resized(faces, self.side)
        return (faces, targets) if weights is None else (faces, targets, weights)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return float32 [n, 7] with a one at each label."""
    return np.eye(len(LABELS), dtype=np.float32)[labels]
