import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.leaderboard.figures import Figure, over_seeds, wilson


@given(st.integers(1, 40_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_scipys_wilson(hits_and_faces):
    hits, faces = hits_and_faces
    expected = stats.binomtest(hits, faces).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(hits / faces, faces) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-6))
def test_mean_deviation_and_interval_over_seeds_are_scipys(values):
    figure = over_seeds(values)
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert figure.value == pytest.approx(np.mean(values))
    assert figure.deviation == pytest.approx(stats.tstd(values))
    assert figure.interval == pytest.approx(expected)


def test_one_value_has_neither_deviation_nor_interval():
    assert over_seeds([0.5]) == Figure(0.5)


def test_a_figure_says_all_that_is_known_of_it_and_no_more():
    assert str(Figure(0.5)) == "0.500"
    assert str(Figure(0.5, interval=(0.4, 0.6))) == "0.500 [0.400, 0.600]"
    assert str(Figure(0.5, 0.01, (0.4, 0.6))) == "0.500 ± 0.010 [0.400, 0.600]"
