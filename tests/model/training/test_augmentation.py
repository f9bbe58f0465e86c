import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from model.training.augmentation import Augmentation, warp


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)


def test_no_move_changes_nothing(faces):
    n = len(faces)
    assert (warp(faces, np.zeros(n), np.ones(n), np.zeros((n, 2))) == faces).all()
    assert (Augmentation()(faces, np.random.default_rng(0)) == faces).all()


def test_a_shift_goes_right_and_down_and_repeats_the_edge(faces):
    n = len(faces)
    moved = warp(faces, np.zeros(n), np.ones(n), np.tile([3.0, 5.0], (n, 1)))
    assert (moved[:, 5:, 3:] == faces[:, :-5, :-3]).all()
    assert (moved[:, 5:, :3] == faces[:, :-5, :1]).all()


def test_a_quarter_turn_is_counter_clockwise(faces):
    n = len(faces)
    turned = warp(faces, np.full(n, np.pi / 2), np.ones(n), np.zeros((n, 2)))
    assert (turned == np.rot90(faces, axes=(1, 2))).all()


@settings(max_examples=25, deadline=None)
@given(
    angle=st.floats(-3, 3),
    scale=st.floats(0.6, 1.6),
    shift=st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
    seed=st.integers(0, 1000),
)
def test_warp_is_the_bilinear_map_that_scipy_computes(angle, scale, shift, seed):
    face = np.random.default_rng(seed).integers(0, 256, (1, 48, 48), dtype=np.uint8)
    ours = warp(face, np.array([angle]), np.array([scale]), np.array([shift]))[0]
    middle = np.array([23.5, 23.5])
    # Rows and columns of the source as a function of those of the result.
    inverse = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    offset = middle - inverse @ (middle + np.array([shift[1], shift[0]]))
    exact = ndimage.affine_transform(face[0].astype(float), inverse, offset, order=1, mode="nearest")
    # A source coordinate is rounded to 1/256 of a pixel; neighbours differ by at most 255, in two directions.
    assert np.abs(ours - exact).max() <= 0.5 + 2 * 255 / 512 + 0.1


def test_flip_mirrors_about_half_of_the_faces(faces):
    many = np.repeat(faces, 25, axis=0)
    flipped = Augmentation(flip=True)(many, np.random.default_rng(3))
    mirrored = (flipped == many[:, :, ::-1]).all(axis=(1, 2))
    assert ((flipped == many).all(axis=(1, 2)) ^ mirrored).all()
    assert 0.45 < mirrored.mean() < 0.55


@settings(max_examples=30, deadline=None)
@given(area=st.floats(0.02, 0.5), seed=st.integers(0, 10_000))
def test_erasing_stays_within_its_largest_rectangle(area, seed):
    face = np.zeros((1, 48, 48), np.uint8)
    erased = Augmentation(erasing=1.0, erasing_area=area)(face, np.random.default_rng(seed))[0]
    rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
    assert len(rows)
    assert (np.ptp(rows) + 1) * (np.ptp(columns) + 1) <= area * 48 * 48 + 1


def test_erasing_leaves_the_faces_it_was_given_alone(faces):
    before = faces.copy()
    Augmentation(flip=True, shift=0.1, rotation=10, zoom=0.1, erasing=1.0)(faces, np.random.default_rng(0))
    assert (faces == before).all()


def test_erasing_takes_its_share(faces):
    many = np.repeat(faces, 25, axis=0)
    changed = (Augmentation(erasing=0.3)(many, np.random.default_rng(5)) != many).any(axis=(1, 2))
    assert 0.25 < changed.mean() < 0.35


def test_equal_seeds_give_equal_faces(faces):
    augment = Augmentation(flip=True, shift=0.1, rotation=10, zoom=0.1, erasing=0.5)
    first, second, other = (augment(faces, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == second).all()
    assert (first != other).any()
