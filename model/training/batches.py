"""Faces on their way to the network: shuffled, augmented and batched, from the seed alone."""

import math
from dataclasses import dataclass

import keras
import numpy as np

from model.labels import LABELS
from model.training.augmentation import Augmentation


@dataclass(frozen=True)
class Labelled:
    """Faces uint8 [n, side, side] and their labels, integers [n] of 0 to 6."""

    faces: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Return float32 [7]: n / (labels present · faces of the label), 0 for an absent label (King & Zeng 2001)."""
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


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
    ) -> None:
        """Take the data as it is.

        Args:
            data: the faces.
            batch_size: faces a batch; the last one may have fewer.
            seed: of the run, and the index of the epoch.
            augment: needs a seed.
            weights: float32 [7], the say of each label in the loss.
        """
        super().__init__()
        self._data, self._batch_size, self._seed, self._weights = data, batch_size, seed, weights
        self._augment = augment
        self._order = np.arange(len(data)) if seed is None else np.random.default_rng(seed).permutation(len(data))

    def __len__(self) -> int:
        return math.ceil(len(self._data) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Return faces uint8 [b, side, side], one-hot labels float32 [b, 7] and, with class weights, float32 [b]."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        faces, labels = self._data.faces[rows], self._data.labels[rows]
        if self._augment is not None and self._seed is not None:
            faces = self._augment(faces, np.random.default_rng((*self._seed, index)))
        return (faces, one_hot(labels)) if self._weights is None else (faces, one_hot(labels), self._weights[labels])


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return float32 [n, 7] with a one at each label."""
    return np.eye(len(LABELS), dtype=np.float32)[labels]
