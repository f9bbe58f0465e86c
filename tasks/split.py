"""Who trains, who validates, who tests: a list of rows, with the copies that leak from training marked."""

import math

import numpy as np
from sklearn.model_selection import train_test_split

from model.labels import LABELS
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.params import SplitParams
from tasks.common.paths import FACES, PARAMS, SPLIT
from tasks.common.reading import load_params
from tasks.common.tables import SUBSETS, USAGES, Faces, Split, read_faces, write_split
from tasks.duplicates import Copies, find_copies, linked

TRAIN, VALIDATION, TEST, DROPPED = SUBSETS
USED = (TRAIN, VALIDATION, TEST)


def split(faces: Faces, params: SplitParams) -> Split:
    """Put every face into a subset and mark the copies that validation and test faces have in training.

    The outcome depends on the faces and their rows, not on their order in the table. `official` on data without
    PublicTest takes validation from Training, stratified by label and seeded.

    Raises:
        UserError: the strategy and the data, or the strategy and the policy on leaks, don't go together.
    """
    if params.leaks == "group" and params.strategy == "official":
        raise UserError(
            "split.leaks: found group with strategy official, whose subsets are given; "
            "choose keep or drop_from_train, or strategy random or stratified"
        )
    order = np.argsort(faces.row, kind="stable")
    ordered = faces if (order == np.arange(len(faces))).all() else faces.take(order)
    copies = find_copies(ordered.pixels, params.near_distance, params.near_correlation)
    subset = _subsets(ordered, params, copies)
    if params.leaks == "drop_from_train":
        held_out = np.isin(subset, (VALIDATION, TEST))
        leaking = copies.exact_in(held_out) | copies.near_in(held_out)
        subset[leaking & (subset == TRAIN)] = DROPPED
    _check(ordered, subset, params)
    leak = _leaks(copies, subset)
    back = np.argsort(order)
    return Split(faces.row, subset[back], leak[back])


def _subsets(faces: Faces, params: SplitParams, copies: Copies) -> np.ndarray:
    """Return the subset of each face, str object [n], before copies are dropped."""
    groups = _groups(faces, params, copies)
    if params.strategy == "official":
        return _official(faces, params, groups)
    sizes = _sizes(len(faces), params)
    rng = np.random.default_rng(params.seed)
    if params.strategy == "stratified":
        return _assign(groups, faces.emotion.astype(np.int64), _quotas(faces.emotion, sizes), rng)
    if params.leaks == "group" or len(faces) > groups.max() + 1:
        return _assign(groups, np.zeros(len(faces), np.int64), sizes[:, None], rng)
    return _random(len(faces), params)


def _groups(faces: Faces, params: SplitParams, copies: Copies) -> np.ndarray:
    """Return int64 [n], equal for faces that go to one subset: those of a subject, and copies where `leaks` is group.

    What a chain of both links is one group. They are numbered from 0 in the order of their first faces.
    """
    n = len(faces)
    links = [copies.links()] if params.leaks == "group" else []
    if params.by_subject and faces.subject is not None:
        known = np.flatnonzero(faces.subject != "")
        _, first, which = np.unique(faces.subject[known].astype(str), return_index=True, return_inverse=True)
        links.append(np.stack([known, known[first][which]], axis=1))
    return linked(n, np.concatenate(links)) if links else np.arange(n)


def _official(faces: Faces, params: SplitParams, groups: np.ndarray) -> np.ndarray:
    """Return FER2013's own parts; validation is taken from Training where there is no PublicTest."""
    for usage, what in (("Training", "train on"), ("PrivateTest", "test on")):
        if not (faces.usage == usage).any():
            found = ", ".join(sorted(set(faces.usage)))
            raise UserError(
                f"split.strategy: official needs {usage} faces to {what}, found only {found}; "
                "choose strategy stratified or random, which ignore the parts"
            )
    subset = np.select([faces.usage == usage for usage in USAGES], USED, DROPPED).astype(object)
    if not (subset == VALIDATION).any():
        own = np.flatnonzero(subset == TRAIN)
        validation = math.ceil(len(own) * params.validation_share)
        sizes = np.array([len(own) - validation, validation, 0])
        labels = faces.emotion[own]
        rng = np.random.default_rng(params.seed)
        _, together = np.unique(groups[own], return_inverse=True)
        subset[own] = _assign(together, labels.astype(np.int64), _quotas(labels, sizes), rng)
    return subset


def _random(n: int, params: SplitParams) -> np.ndarray:
    """Return what scikit-learn's `train_test_split`, used twice, gives: the capstone's way."""
    rest, test = train_test_split(np.arange(n), test_size=params.test_share, random_state=params.seed)
    _, validation = train_test_split(rest, test_size=params.validation_share, random_state=params.seed)
    subset = np.full(n, TRAIN, object)
    subset[test] = TEST
    subset[validation] = VALIDATION
    return subset


def _sizes(n: int, params: SplitParams) -> np.ndarray:
    """Return the faces in train, validation and test, int64 [3], rounded as scikit-learn does."""
    test = math.ceil(n * params.test_share)
    validation = math.ceil((n - test) * params.validation_share)
    sizes = np.array([n - test - validation, validation, test])
    if sizes.min() < 1:
        raise UserError(
            f"split: {n} faces are too few, test_share {params.test_share} and validation_share "
            f"{params.validation_share} leave {sizes[0]} to train; take more faces or smaller shares"
        )
    return sizes


def _quotas(labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return how many faces of each label go to each subset, int64 [3, 7].

    Each subset gets the label's share of its size, rounded by largest remainders, and at least one face; the last one
    stays in train.
    """
    left = np.bincount(labels, minlength=len(LABELS))
    quotas = np.zeros((3, len(LABELS)), np.int64)
    for subset in (2, 1):
        exact = left * sizes[subset] / max(sizes[: subset + 1].sum(), 1)
        quota = np.floor(exact).astype(np.int64)
        remainders = np.argsort(quota - exact, kind="stable")
        quota[remainders[: sizes[subset] - quota.sum()]] += 1
        if sizes[subset]:
            quota = np.maximum(quota, left > 1)
        quotas[subset] = quota
        left = left - quota
    quotas[0] = left
    return quotas


def _assign(groups: np.ndarray, strata: np.ndarray, quotas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put whole groups into train, validation and test so that the quotas are met as nearly as may be.

    The groups go in random order, the largest first, each to the subset that still lacks most of its quota for the
    group's faces: the many groups of one face come last and even out what the large ones left.

    Args:
        groups: int64 [n], the group of each face, numbered from 0.
        strata: int64 [n], the stratum of each face.
        quotas: int64 [3, strata], faces wanted by subset and stratum.
        rng: decides the order.
    """
    counts = np.zeros((groups.max() + 1, quotas.shape[1]), np.int64)
    np.add.at(counts, (groups, strata), 1)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    left, share = quotas.astype(float), 1 / np.maximum(quotas, 1)
    chosen = np.empty(len(counts), np.int64)
    for group in order:
        lack = np.where(quotas > 0, left * share, -np.inf)[:, counts[group] > 0].sum(axis=1)
        chosen[group] = lack.argmax()
        left[chosen[group]] -= counts[group]
    return np.array(USED, object)[chosen[groups]]


def _check(faces: Faces, subset: np.ndarray, params: SplitParams) -> None:
    """Refuse a split with an empty subset or, where it is stratified, with a label missing from one."""
    for name in USED:
        inside = faces.emotion[subset == name]
        if not len(inside):
            raise UserError(f"split: no face is left for {name}; take more faces, other shares or leaks keep")
        missing = np.setdiff1d(faces.emotion, inside)
        if params.strategy == "stratified" and len(missing):
            count = int((faces.emotion == missing[0]).sum())
            raise UserError(
                f"split: {LABELS[missing[0]]} has {count} faces (copies and subjects go together as split says), "
                f"too few for one in {name}; take more faces of it, or strategy random"
            )


def _leaks(copies: Copies, subset: np.ndarray) -> np.ndarray:
    """Return which kind of copy each validation and test face has in training, str object [n]."""
    train, held_out = subset == TRAIN, np.isin(subset, (VALIDATION, TEST))
    kinds = [held_out & copies.exact_in(train), held_out & copies.near_in(train)]
    return np.select(kinds, ["exact", "near"], "none").astype(object)


def _said(faces: Faces, result: Split, params: SplitParams) -> list[str]:
    """Return what the step says of its result."""
    counts = ", ".join(f"{len(result.index(name)):,} {name}" for name in SUBSETS)
    lines = [f"split: {params.strategy}, leaks {params.leaks}: {counts}"]
    if params.strategy == "official" and not (faces.usage == "PublicTest").any():
        lines.append(f"no PublicTest in the data: validation is {params.validation_share:.0%} of Training, by label")
    if faces.subject is not None:
        lines.append(_said_of_subjects(faces, result))
    for name in (VALIDATION, TEST):
        leak = result.leak[result.index(name)]
        exact, near = (leak == "exact").sum(), (leak == "near").sum()
        lines.append(f"{name} faces with a copy in train: {exact:,} exact, {near:,} near")
    return lines


def _said_of_subjects(faces: Faces, result: Split) -> str:
    subjects = np.asarray(faces.subject)
    trained, held = (set(subjects[np.isin(result.subset, names)]) - {""} for names in ((TRAIN,), (VALIDATION, TEST)))
    return f"{len(trained | held):,} subjects, {len(trained & held):,} of them both in train and in validation or test"


@command
def main() -> None:
    """Read the faces, split them, write the split."""
    params = load_params(PARAMS).split
    faces = read_faces(FACES)
    result = split(faces, params)
    write_split(SPLIT, result)
    for line in _said(faces, result, params):
        say(line)


if __name__ == "__main__":
    main()
