"""Numbers out of text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.pixels import FACE, parse_many, parse_one

RANDOM = np.random.default_rng(1)
GOOD = " ".join(map(str, RANDOM.integers(0, 256, FACE))).encode()


def changed(place: int, number: bytes) -> bytes:
    numbers = GOOD.split(b" ")
    numbers[place] = number
    return b" ".join(numbers)


def test_every_value_at_every_width():
    faces = np.resize(np.arange(256, dtype=np.uint8), (5, FACE))
    texts = [" ".join(map(str, face)).encode() for face in faces]
    padded = [" ".join(f"{value:03d}" for value in face).encode() for face in faces]
    np.testing.assert_array_equal(parse_many(texts), faces)
    np.testing.assert_array_equal(parse_many(padded), faces)
    np.testing.assert_array_equal(parse_one(texts[0]), faces[0])


@pytest.mark.parametrize("place", [0, 1, 1000, FACE - 1])
@pytest.mark.parametrize(
    "number",
    [b"256", b"299", b"300", b"999", b"1000", b"-1", b"+1", b"1.5", b"", b"a", b"1e1", b"\xff", b"0x1", b"/", b":"],
)
def test_what_is_no_pixel_is_refused_by_both_parsers(place, number):
    text = changed(place, number)
    assert parse_many([GOOD, text, GOOD]) is None
    with pytest.raises(ValueError, match=r"expected" if number else r"2,303 pixel values"):
        parse_one(text)


@pytest.mark.parametrize("text", [GOOD + b" 1", GOOD.rsplit(b" ", 1)[0], b"", b" "])
def test_another_number_of_pixels_is_refused(text):
    assert parse_many([text]) is None
    with pytest.raises(ValueError, match="pixel values, expected 2,304"):
        parse_one(text)


def test_a_pixel_too_many_is_not_made_good_by_one_too_few_in_the_next_face():
    longer, shorter = GOOD + b" 7", GOOD.rsplit(b" ", 1)[0]
    assert parse_many([longer, shorter]) is None
    assert parse_many([shorter, longer]) is None


def test_the_sentence_names_the_pixel_and_its_value():
    with pytest.raises(ValueError, match="pixel 12 is '256', expected a whole number from 0 to 255"):
        parse_one(changed(11, b"256"))


def test_wider_gaps_are_left_to_the_slow_parser():
    text = GOOD.replace(b" ", b"  ")
    assert parse_many([text]) is None
    np.testing.assert_array_equal(parse_one(text), parse_one(GOOD))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=0, max_size=3))
def test_what_the_fast_parser_takes_the_slow_one_reads_alike(place, patch):
    text = GOOD[:place] + patch + GOOD[place + len(patch) :]
    fast = parse_many([GOOD, text])
    if fast is not None:
        np.testing.assert_array_equal(fast[1], parse_one(text))
