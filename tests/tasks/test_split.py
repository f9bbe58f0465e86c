from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from tasks import split as step
from tasks.common.errors import UserError
from tasks.common.params import SplitParams
from tasks.common.paths import FACES, PARAMS, SPLIT
from tasks.common.reading import load_params
from tasks.common.tables import SUBSETS, USAGES, Faces, Split, read_split, write_faces
from tasks.duplicates import find_copies
from tasks.split import split
from tests.tasks.pictures import brighter, pictures, some_faces

ROOT = Path(__file__).parents[2]
REAL = load_params(ROOT / PARAMS).split
POOL = pictures(20)
POOL = np.concatenate([POOL, np.stack([brighter(face) for face in POOL[:10]])])
OF_USAGE = dict(zip(USAGES, SUBSETS, strict=False))


def knobs(**changes) -> SplitParams:
    return REAL.model_copy(update=changes)


def sizes(result: Split) -> list[int]:
    return [len(result.index(name)) for name in SUBSETS]


def copies_of(faces: Faces):
    return find_copies(faces.pixels, REAL.near_distance, REAL.near_correlation)


@st.composite
def crowded(draw) -> Faces:
    """Faces with many exact and near copies, labels and parts at random."""
    n = draw(st.integers(40, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pixels = np.concatenate([POOL[rng.integers(0, len(POOL), n // 3)], pictures(n - n // 3, int(rng.integers(1000)))])
    row = rng.permutation(10 * n)[:n].astype(np.int32)
    emotion, usage = rng.integers(0, 4, n).astype(np.int8), np.array(USAGES, object)[rng.integers(0, 3, n)]
    people = np.array(["", *(f"S{i:03d}" for i in range(12))], object)
    subject = people[np.minimum(rng.integers(0, 30, n), 12)] if draw(st.booleans()) else None
    return Faces(row, emotion, usage, pixels, subject=subject)


policies = st.sampled_from(
    [
        (strategy, leaks)
        for strategy in ("official", "random", "stratified")
        for leaks in ("keep", "drop_from_train", "group")
        if (strategy, leaks) != ("official", "group")
    ]
)


@settings(max_examples=60, deadline=None)
@given(faces=crowded(), policy=policies, seed=st.integers(0, 2**32 - 1))
def test_properties_of_every_split(faces, policy, seed):
    strategy, leaks = policy
    params = knobs(strategy=strategy, leaks=leaks, seed=seed)
    try:
        result = split(faces, params)
    except UserError:
        assume(False)
    subset = np.array(result.subset)

    np.testing.assert_array_equal(result.row, faces.row)
    assert set(subset) <= set(SUBSETS)
    assert ((result.leak == "none") | np.isin(subset, ("validation", "test"))).all()
    if leaks != "keep":
        assert (result.leak == "none").all()
    if leaks != "drop_from_train":
        assert "dropped" not in subset
    if leaks == "group":
        groups = copies_of(faces).groups()
        assert all(len(set(subset[groups == group])) == 1 for group in groups)
    if faces.subject is not None and strategy != "official":
        used = subset != "dropped"
        for one in set(faces.subject) - {""}:
            assert len(set(subset[used & (faces.subject == one)])) <= 1
    if strategy == "official":
        held = subset != "dropped"
        assert subset[held].tolist() == [OF_USAGE[usage] for usage in faces.usage[held]]
        assert (faces.usage[~held] == "Training").all()
    if strategy == "stratified":
        assert {(s, e) for s, e in zip(subset, faces.emotion, strict=True) if s != "dropped"} == {
            (s, e) for s in SUBSETS[:3] for e in set(faces.emotion)
        }

    shuffled = np.random.default_rng(seed).permutation(len(faces))
    again = split(faces.take(shuffled), params)
    np.testing.assert_array_equal(again.subset, subset[shuffled])
    np.testing.assert_array_equal(again.leak, result.leak[shuffled])


def test_random_is_train_test_split_twice():
    faces = some_faces(300)
    rest, test = train_test_split(faces.row, test_size=0.1, random_state=7)
    train, validation = train_test_split(rest, test_size=0.1, random_state=7)
    result = split(faces, knobs(strategy="random", seed=7))
    for name, rows in (("train", train), ("validation", validation), ("test", test)):
        assert faces.row[result.index(name)].tolist() == sorted(rows)


def test_a_subject_is_held_together_also_through_copies_and_only_where_that_is_asked_for():
    faces = some_faces(300)
    people = np.array([f"S{i // 3:03d}" for i in range(300)], object)
    known = replace(faces, subject=people)
    together, apart = (split(known, knobs(strategy="random", by_subject=how)) for how in (True, False))
    assert all(len(set(together.subset[people == one])) == 1 for one in people)
    assert apart.subset.tolist() == split(faces, knobs(strategy="random")).subset.tolist()
    assert abs(len(together.index("test")) - 30) <= 2

    linked = replace(known, pixels=faces.pixels.copy())
    linked.pixels[3] = linked.pixels[0]  # one photograph under two names
    both = split(linked, knobs(strategy="random", leaks="group"))
    assert len(set(both.subset[:6])) == 1


def test_a_validation_that_is_taken_from_training_has_subjects_of_its_own():
    faces = some_faces(300)
    usage = np.array(["Training"] * 240 + ["PrivateTest"] * 60, object)
    people = np.array([f"S{i // 4:03d}" for i in range(300)], object)
    result = split(replace(faces, usage=usage, subject=people), knobs(strategy="official"))
    trained, validating = (set(people[result.index(name)]) for name in ("train", "validation"))
    assert validating
    assert not trained & validating


def test_another_seed_gives_another_split():
    faces = some_faces(300)
    one, other = (split(faces, knobs(strategy="stratified", seed=seed)) for seed in (1, 2))
    assert (one.subset != other.subset).any()
    assert sizes(one) == sizes(other)


def test_stratified_keeps_the_shares_of_the_labels():
    faces = some_faces(1000)
    result = split(faces, knobs(strategy="stratified", test_share=0.2, validation_share=0.25))
    assert sizes(result) == [600, 200, 200, 0]
    counts = np.bincount(faces.emotion)
    for name, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert np.abs(np.bincount(faces.emotion[result.index(name)]) - share * counts).max() < 2


def test_stratified_leaves_three_faces_of_a_label_one_in_each_subset():
    faces = some_faces(300)
    emotion = np.where(faces.emotion == 1, 0, faces.emotion).astype(np.int8)
    emotion[[5, 100, 200]] = 1
    result = split(replace(faces, emotion=emotion), knobs(strategy="stratified"))
    assert sorted(result.subset[emotion == 1]) == ["test", "train", "validation"]


def test_each_leak_is_marked_with_its_kind():
    faces = some_faces(40)
    pixels = faces.pixels.copy()
    pixels[1] = pixels[0]  # PublicTest, of a Training face
    pixels[2] = brighter(pixels[3])  # PrivateTest, of a Training face
    pixels[12] = pixels[11]  # PrivateTest, of a PublicTest face: no leak from training
    faces = replace(faces, pixels=pixels)
    kept = split(faces, knobs(strategy="official", leaks="keep"))
    assert {int(i): kept.leak[i] for i in np.flatnonzero(kept.leak != "none")} == {1: "exact", 2: "near"}
    dropped = split(faces, knobs(strategy="official", leaks="drop_from_train"))
    assert dropped.index("dropped").tolist() == [0, 3]
    assert (dropped.leak == "none").all()


def test_official_takes_validation_from_training_where_there_is_no_public_test(tmp_path, monkeypatch, capsys):
    faces = some_faces(400)
    faces = replace(faces, usage=np.where(faces.usage == "PublicTest", "Training", faces.usage))
    monkeypatch.chdir(tmp_path)
    Path(PARAMS).write_text((ROOT / PARAMS).read_text())
    write_faces(FACES, faces)
    step.main()
    result = read_split(SPLIT)
    assert sizes(result) == [324, 36, 40, 0]
    assert (faces.usage[result.index("test")] == "PrivateTest").all()
    assert set(faces.emotion[result.index("validation")]) == set(range(7))
    assert "no PublicTest in the data: validation is 10% of Training" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("usage", "changes", "words"),
    [
        (None, {"strategy": "official", "leaks": "group"}, "found group with strategy official"),
        ("Training", {"strategy": "official"}, "official needs PrivateTest faces to test on, found only Training"),
        ("PrivateTest", {"strategy": "official"}, "official needs Training faces to train on"),
        (None, {"strategy": "random", "test_share": 0.99}, "leave 0 to train"),
        (None, {"strategy": "stratified"}, "disgust has 1 faces"),
    ],
)
def test_what_cannot_be_split_is_one_sentence(usage, changes, words):
    faces = some_faces(60)
    if usage:
        faces = replace(faces, usage=np.full(len(faces), usage, object))
    with pytest.raises(UserError, match=words):
        split(faces, knobs(**changes))


def test_the_step_writes_the_same_bytes_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(PARAMS).write_text((ROOT / PARAMS).read_text())
    write_faces(FACES, some_faces(200))
    step.main()
    first = SPLIT.read_bytes()
    step.main()
    assert SPLIT.read_bytes() == first
    assert "official, leaks keep: 160 train, 20 validation, 20 test, 0 dropped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("strategy", "leaks", "expected"),
    [
        ("random", "keep", [29068, 3230, 3589, 0]),
        ("official", "keep", [28709, 3589, 3589, 0]),
        ("stratified", "keep", [29068, 3230, 3589, 0]),
    ],
)
def test_exact_counts_of_the_real_data(real_faces, strategy, leaks, expected):
    result = split(real_faces, knobs(strategy=strategy, leaks=leaks))
    assert sizes(result) == expected
    if strategy == "official":
        exact = real_faces.usage[result.leak == "exact"]
        assert ((exact == "PrivateTest").sum(), (exact == "PublicTest").sum()) == (288, 280)


def test_stratified_groups_of_the_real_data_fit_the_shares(real_faces):
    result = split(real_faces, knobs(strategy="stratified", leaks="group"))
    assert sizes(result) == pytest.approx([29068, 3230, 3589, 0], abs=20)
    test = np.bincount(real_faces.emotion[result.index("test")])
    assert test == pytest.approx(np.bincount(real_faces.emotion) / 10, abs=10)
    assert (result.leak == "none").all()
