import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import beta, kstest

from model.training.augmentation import Augmentation, mixed, resized, warp


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)


def test_no_move_changes_nothing(faces):
    n = len(faces)
    assert (warp(faces, np.zeros(n), np.ones(n), np.zeros((n, 2))) == faces).all()
    assert (Augmentation()(faces, np.random.default_rng(0)) == faces).all()


def test_faces_are_halved_by_the_mean_of_each_four_pixels_and_keep_their_middle(faces):
    quarters = faces.reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4))
    # The moves are in pixels of the whole face, whatever the size of the result.
    assert np.abs(resized(faces, 24) - quarters).max() <= 0.5
    assert resized(faces, 48) is faces
    n = len(faces)
    moved = warp(faces, np.zeros(n), np.ones(n), np.tile([4.0, -6.0], (n, 1)), side=24)
    assert np.abs(moved[:, :-3, 2:] - quarters[:, 3:, :-2]).max() <= 0.5


@pytest.mark.parametrize("moves", [{}, {"shift": 0.1, "rotation": 10, "zoom": 0.1}, {"flip": True, "erasing": 1.0}])
def test_augmented_faces_have_the_side_that_is_asked_for(faces, moves):
    small = Augmentation(**moves)(faces, np.random.default_rng(0), 32)
    assert small.shape == (len(faces), 32, 32)
    assert np.abs(small.mean() - faces.mean()) < 5


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


def test_mixup_mixes_faces_and_targets_by_one_share_and_one_partner(faces):
    targets = np.eye(40, dtype=np.float32)
    blend, soft, none = mixed(faces, targets, None, 0.4, np.random.default_rng(8))
    # The targets say who was mixed, and by how much: a row holds the share at its own place, the rest at its partner's.
    share = np.diag(soft).min()
    assert 0 < share < 1
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(blend, np.rint(np.tensordot(soft, faces.astype(np.float32), 1)), atol=1)
    assert blend.dtype == np.uint8
    assert none is None


def test_the_weighted_loss_of_a_mixed_face_is_the_mixture_of_both_weighted_losses(faces):
    random = np.random.default_rng(1)
    targets, weights = np.eye(7, dtype=np.float32)[random.integers(7, size=40)], random.uniform(0.1, 9, 40)
    losses = -np.log(random.dirichlet(np.ones(7), 40))  # of each face, for each label
    _, soft, says = mixed(faces, targets, weights.astype(np.float32), 0.4, np.random.default_rng(8))
    _, shares, _ = mixed(faces, np.eye(40, dtype=np.float32), None, 0.4, np.random.default_rng(8))
    expected = [
        sum(part * weights[k] * (targets[k] * one).sum() for k, part in enumerate(row))
        for row, one in zip(shares, losses, strict=True)
    ]
    np.testing.assert_allclose(says * (soft * losses).sum(axis=1), expected, rtol=1e-5)
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)


def own_shares(alpha, seed, draws):
    """Return what share of itself the first of two faces keeps in each draw: 1 where its partner is itself."""
    rng, pair = np.random.default_rng(seed), np.array([[[0]], [[255]]], np.uint8)
    return np.array([mixed(pair, np.eye(2, dtype=np.float32), None, alpha, rng)[1][0, 0] for _ in range(draws)])


@settings(max_examples=25, deadline=None)
@given(alpha=st.floats(0.05, 10), seed=st.integers(0, 1000))
def test_shares_never_leave_0_to_1(alpha, seed):
    shares = own_shares(alpha, seed, 60)
    assert (shares >= 0).all()
    assert (shares <= 1).all()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha):
    shares = own_shares(alpha, 0, 1000)
    mixed_ones = shares[shares < 1]
    assert 400 < len(mixed_ones) < 600
    assert kstest(mixed_ones, beta(alpha, alpha).cdf).pvalue > 0.01
    assert kstest(mixed_ones, beta(2 * alpha, 2 * alpha).cdf).pvalue < 0.01
