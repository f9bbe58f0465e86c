"""The faces that train and those that validate, with their labels and targets."""

from collections.abc import Sequence

import numpy as np

from model.labels import LABELS
from model.training.batches import Labelled, one_hot
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.params import Train
from tasks.common.tables import VOTED, VOTES, Faces, Split


def labelled(faces: Faces, split: Split, subset: str, how: Train | None = None) -> Labelled:
    """Return the faces of one subset with their labels and, as `how` asks, with what votes and teachers make of them.

    Those that validate have their labels alone: `how` is for those that train.

    Raises:
        UserError: the split is not of these faces, the subset is empty, a label is none, or it has no votes or
            no teacher to give them a share.
    """
    if not (len(split.row) == len(faces) and (split.row == faces.row).all()):
        raise UserError(f"{paths.SPLIT}: its rows are not those of {paths.FACES}; run `dvc repro split`")
    index = split.index(subset)
    if not len(index):
        raise UserError(f"{paths.SPLIT}: the {subset} subset is empty; look at split in {paths.PARAMS}")
    own = faces.take(index)
    if own.emotion.min() < 0 or own.emotion.max() >= len(LABELS):
        found = own.emotion[(own.emotion < 0) | (own.emotion >= len(LABELS))][0]
        raise UserError(
            f"{paths.FACES}: found the label {found}, expected 0 to {len(LABELS) - 1}; ingest the data again"
        )
    targets = _targets(own, how) if how else None
    return Labelled(own.pixels, own.emotion, targets, vote_shares(own) if how and how.vote_weight else None)


def _targets(faces: Faces, how: Train) -> np.ndarray | None:
    """Return what the loss holds the network to, where that is not the labels alone."""
    targets = soft_targets(faces, how.vote_share) if how.vote_share else None
    if not how.teacher_share:
        return targets
    return taught_targets(one_hot(faces.emotion) if targets is None else targets, faces.teacher, how.teacher_share)


def taught_targets(targets: np.ndarray, teacher: np.ndarray | None, share: float) -> np.ndarray:
    """Mix targets with what trained networks say (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").

    It is their weighting of two cross-entropies, at a temperature of 1.

    Args:
        targets: float32 [n, 7], rows that sum to 1.
        teacher: likewise, of `python -m tasks.teach`.
        share: 0 to 1, the teacher's.

    Returns:
        float32 [n, 7], rows that sum to 1.

    Raises:
        UserError: there is no teacher.
    """
    if teacher is None:
        raise UserError(
            f"train.teacher_share: found {share:g}, and no network was asked about the faces in {paths.FACES}; "
            "run `python -m tasks.teach MODEL.keras`, or set it to 0"
        )
    return (1 - np.float32(share)) * targets + np.float32(share) * teacher


def soft_targets(faces: Faces, vote_share: float) -> np.ndarray:
    """Mix labels and crowd votes (Barsoum et al. 2016, who train on the votes alone).

    Args:
        faces: of which some have votes.
        vote_share: 0 to 1, the votes' share; a face's own votes are counted among the seven labels alone.

    Returns:
        float32 [n, 7], rows that sum to 1; the one-hot label of a face that has no such votes.

    Raises:
        UserError: none of the faces has votes.
    """
    hard, votes = one_hot(faces.emotion), _shares(faces, VOTED)
    if votes is None:
        raise UserError(
            f"train.vote_share: found {vote_share:g}, and no training face in {paths.FACES} has crowd votes; "
            "ingest the data with `--votes fer2013new.csv`, or set it to 0"
        )
    return np.where(votes.any(axis=1, keepdims=True), (1 - vote_share) * hard + vote_share * votes, hard)


def vote_shares(faces: Faces) -> np.ndarray | None:
    """Return each answer's share of a face's crowd votes, those for none of the seven labels too.

    Returns:
        float32 [n, 10] in the order of `VOTES`, rows that sum to 1, or to 0 for a face without votes; None where no
        face has any.
    """
    return _shares(faces, range(len(VOTES)))


def _shares(faces: Faces, answers: Sequence[int]) -> np.ndarray | None:
    """Return float32 [n, answers], rows that sum to 1, or to 0 for a face without votes for any of these answers."""
    votes = None if faces.votes is None else faces.votes[:, list(answers)].astype(np.float32)
    if votes is None or not votes.any():
        return None
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
