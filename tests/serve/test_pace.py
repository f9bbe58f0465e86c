"""How many of a camera's frames are looked at."""

import numpy as np
import pytest

from serve.frames import Pace


def let_through(times, most):
    pace = Pace(most)
    return np.array([time for time in times if pace.lets(time)])


def coming(rate, seconds=60, jitter=0.005):
    """Times of a source's frames, each up to so many seconds late."""
    return 1000 + np.arange(rate * seconds) / rate + np.random.default_rng(0).uniform(0, jitter, rate * seconds)


@pytest.mark.parametrize(
    ("rate", "most", "expected"),
    [
        (30, 15, 15),
        (25, 15, 15),
        (24, 15, 15),
        (16, 15, 15),
        (60, 7.5, 7.5),
        (15, 15, 15),
        (10, 15, 10),
        (30, None, 30),
    ],
)
def test_so_many_frames_a_second_are_let_through_as_are_asked_for_or_come(rate, most, expected):
    found = let_through(coming(rate), most)
    assert len(found) / 60 == pytest.approx(expected, rel=0.01)


def test_a_pause_is_not_made_up_for():
    times = np.concatenate([coming(30, 20), 600 + coming(30, 20)])
    found = let_through(times, 15)
    for second in range(600, 619):
        assert ((found >= 1000 + second) & (found < 1001 + second)).sum() <= 17
