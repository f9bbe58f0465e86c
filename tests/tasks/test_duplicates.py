import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.duplicates import close_pairs, find_copies, perceptual_hashes
from tests.tasks.pictures import brighter, pictures


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """0 to 4 differ; 5 equals 1; 6 is 2 in other light; 7 equals 6; 8 and 9 are flat and differ."""
    base = pictures(5)
    other = brighter(base[2])
    flat = np.stack([np.full((48, 48), grey, np.uint8) for grey in (0, 90)])
    return np.concatenate([base, base[[1]], other[None], other[None], flat])


def test_exact_copies_name_the_first_face(faces):
    assert find_copies(faces, 0, 1.0).first.tolist() == [0, 1, 2, 3, 4, 1, 6, 6, 8, 9]


def test_near_copies_are_the_same_picture_in_other_light(faces):
    assert find_copies(faces, 8, 0.9).near.tolist() == [[2, 6]]


def test_the_correlation_confirms_what_the_hash_found(faces):
    assert len(find_copies(faces, 8, 1.0).near) == 0


def test_groups_chain_exact_and_near_copies(faces):
    groups = find_copies(faces, 8, 0.9).groups()
    assert groups.tolist() == [0, 1, 2, 3, 4, 1, 2, 2, 5, 6]


def test_a_copy_is_near_or_exact_to_the_faces_asked_about(faces):
    copies = find_copies(faces, 8, 0.9)
    among = np.isin(np.arange(len(faces)), [1, 7])
    assert np.flatnonzero(copies.exact_in(among)).tolist() == [1, 5, 6, 7]
    assert np.flatnonzero(copies.near_in(among)).tolist() == [2]


def test_half_of_the_bits_of_a_hash_are_set():
    assert set(np.bitwise_count(perceptual_hashes(pictures(50))).tolist()) == {32}


@settings(max_examples=60, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    flips=st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 63), max_size=12)), max_size=25),
    distance=st.integers(0, 10),
)
def test_every_close_pair_is_found_and_no_other(seeds, flips, distance):
    near = [seeds[which % len(seeds)] ^ sum(1 << bit for bit in bits) for which, bits in flips]
    hashes = np.array([*seeds, *near], np.uint64)
    differing = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(differing <= distance, k=1))
    np.testing.assert_array_equal(close_pairs(hashes, distance), expected)


def test_the_real_copies_are_all_found(real_faces):
    copies = find_copies(real_faces.pixels, 8, 0.9)
    again = copies.first != np.arange(len(real_faces))
    assert again.sum() == 1851
    assert len(np.unique(copies.first[again])) == 1514
    # Rounding may move a pair over a threshold on another machine.
    assert len(copies.near) == pytest.approx(1885, abs=5)
