"""The faces that train and those that validate, with their labels and targets."""

import numpy as np

from model.training.batches import Labelled, one_hot
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.tables import VOTED, Faces, Split


def labelled(faces: Faces, split: Split, subset: str, vote_share: float = 0.0) -> Labelled:
    """Return the faces of one subset with their labels and, where crowd votes have a share, their soft targets.

    Raises:
        UserError: the split is not of these faces, the subset is empty, or it has no votes to give them a share.
    """
    if not (len(split.row) == len(faces) and (split.row == faces.row).all()):
        raise UserError(f"{paths.SPLIT}: its rows are not those of {paths.FACES}; run `dvc repro split`")
    index = split.index(subset)
    if not len(index):
        raise UserError(f"{paths.SPLIT}: the {subset} subset is empty; look at split in {paths.PARAMS}")
    own = faces.take(index)
    return Labelled(own.pixels, own.emotion, soft_targets(own, vote_share) if vote_share else None)


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
    hard = one_hot(faces.emotion)
    votes = np.zeros_like(hard) if faces.votes is None else faces.votes[:, VOTED].astype(np.float32)
    total = votes.sum(axis=1, keepdims=True)
    if not total.any():
        raise UserError(
            f"train.vote_share: found {vote_share:g}, and no training face in {paths.FACES} has crowd votes; "
            "ingest the data with `--votes fer2013new.csv`, or set it to 0"
        )
    return np.where(total > 0, (1 - vote_share) * hard + vote_share * votes / np.maximum(total, 1), hard)
