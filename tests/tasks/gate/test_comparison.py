import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from model.labels import LABELS
from tasks.gate.baselines import figures
from tasks.gate.checks import gains, harms
from tasks.gate.comparison import Comparison, Summary, _redraw, against_summary, holm, mcnemar, paired
from tasks.gate.verdict import decide
from tasks.scoring.scores import Bootstrap
from tests.tasks.gate.making import gate, guesses, labels

QUICK = Bootstrap(resamples=200, confidence=0.95, seed=1)
SKILL = np.linspace(0.4, 0.9, len(LABELS))
"""How often a model of the null is right, by label."""


def pair(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = labels(random, n)
    return label, guesses(random, label, 0.65), guesses(random, label, 0.6)


def test_mcnemar_against_exact_arithmetic() -> None:
    # 86 and 150 discordant of 1,600: approval of a head of government asked twice (Agresti 1990).
    ours, theirs = np.zeros(1600, bool), np.zeros(1600, bool)
    ours[:86], theirs[86:236] = True, True
    found = mcnemar(ours, theirs)
    assert (found.won, found.lost) == (86, 150)
    assert found.p == pytest.approx(2 * sum(math.comb(236, k) for k in range(87)) / 2**236, rel=1e-9)


def test_mcnemar_by_hand() -> None:
    # 1 won of 6: (1 + 6) / 64 on each side.
    assert mcnemar(np.array([1, 0, 0, 0, 0, 0], bool), np.array([0, 1, 1, 1, 1, 1], bool)).p == pytest.approx(14 / 64)
    assert mcnemar(np.ones(5, bool), np.ones(5, bool)).p == 1


def test_holm_by_hand() -> None:
    # Holm's steps: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1, none below the one before it.
    assert holm(np.array([0.03, 0.01, 0.5, 0.02])) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert len(holm(np.array([]))) == 0


def test_the_paired_interval_is_that_of_drawing_faces_one_by_one() -> None:
    label, ours, theirs = pair(2, 400)
    found = paired(label, ours, theirs, Bootstrap(resamples=4000, confidence=0.95, seed=1))
    random, of = np.random.default_rng(9), [np.flatnonzero(label == i) for i in range(len(LABELS))]
    drawn = []
    for _ in range(1000):
        face = np.concatenate([random.choice(own, len(own)) for own in of])
        accuracy = (ours[face] == label[face]).mean() - (theirs[face] == label[face]).mean()
        f1 = [figures(label[face], side[face]).macro_f1 for side in (ours, theirs)]
        drawn.append((accuracy, f1[0] - f1[1]))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((low[0], high[0]), abs=0.01)
    assert (found.macro_f1.low, found.macro_f1.high) == pytest.approx((low[1], high[1]), abs=0.01)
    assert found.accuracy.value == pytest.approx((ours == label).mean() - (theirs == label).mean())
    assert found.macro_f1.ours == pytest.approx(f1_score(label, ours, average="macro", zero_division=0))


def test_a_summary_leaves_a_wider_interval_than_predictions_do() -> None:
    label, ours, theirs = pair(3, 1000)
    same = paired(label, ours, ours, QUICK).accuracy
    other = against_summary(label, ours, figures(label, theirs).summary(), QUICK).accuracy
    width = other.high - other.low
    assert same.high - same.low == 0
    # Two independent shares of about 0.6 on 1,000 faces each.
    assert width == pytest.approx(2 * 1.96 * np.sqrt(2 * 0.6 * 0.4 / 1000), rel=0.15)


def test_a_summary_varies_as_the_measurement_does() -> None:
    # The published macro F1, measured again and again, spreads as its redrawing from the table does.
    random = np.random.default_rng(4)
    again = []
    for _ in range(300):
        label = labels(random, 800)
        again.append(figures(label, guesses(random, label, SKILL[label])).macro_f1)
    label = labels(random, 800)
    perfect = against_summary(
        label, label, figures(label, guesses(random, label, SKILL[label])).summary(), Bootstrap(2000, 0.95, 1)
    )
    spread = (perfect.macro_f1.high - perfect.macro_f1.low) / (2 * 1.96)
    assert spread == pytest.approx(np.std(again), rel=0.25)


def test_a_summary_is_redrawn_with_all_of_its_faces() -> None:
    # Seven faces, each found with 0.56: rounding leaves 6.999999999999998 of what was counted.
    each = np.full(7, 0.56)
    assert np.concatenate([each, 1 - each]).sum() < 7
    summary = Summary(precision=each, recall=each, f1=each, support=np.ones(7, np.int64), accuracy=0.56, macro_f1=0.56)
    accuracy, _ = _redraw(np.random.default_rng(8), summary, 20_000)
    assert accuracy.mean() == pytest.approx(0.56, abs=0.01)


def test_the_bootstrap_is_seeded() -> None:
    label, ours, theirs = pair(5, 3589)
    bootstrap = Bootstrap(resamples=2000, confidence=0.95, seed=1)
    first = paired(label, ours, theirs, bootstrap)
    assert first == paired(label, ours, theirs, bootstrap)
    summary = figures(label, theirs).summary()
    assert against_summary(label, ours, summary, bootstrap) == against_summary(label, ours, summary, bootstrap)


def test_a_lost_label_has_a_small_p_in_both_ways() -> None:
    label, _, theirs = pair(6, 1500)
    ours = np.where(label == 5, 0, theirs)
    for comparison in (
        paired(label, ours, theirs, QUICK),
        against_summary(label, ours, figures(label, theirs).summary(), QUICK),
    ):
        p = np.array([change.p for change in comparison.labels])
        assert p[5] < 1e-6
        assert (np.delete(p, 5) >= 0.5).all()
        assert comparison.labels[5].recall[0] == 0
        assert comparison.labels[5].support == (label == 5).sum()


def null(random: np.random.Generator, n: int, *, summary: bool) -> Comparison:
    """Compare a candidate with a baseline exactly as good; a summary was measured on as many other faces."""
    label = labels(random, n)
    ours, theirs_label = guesses(random, label, SKILL[label]), labels(random, n) if summary else label
    theirs = guesses(random, theirs_label, SKILL[theirs_label])
    if summary:
        return against_summary(label, ours, figures(theirs_label, theirs).summary(), QUICK)
    return paired(label, ours, theirs, QUICK)


@pytest.mark.parametrize("summary", [False, True])
def test_under_the_null_at_most_the_nominal_share_is_promoted(summary: bool) -> None:
    random, draws, nominal = np.random.default_rng(11), 300, (1 - QUICK.confidence) / 2
    # Any loss of macro F1 is allowed, so that the gain in accuracy has to hold the level alone.
    verdicts = [
        decide(gains(null(random, 250, summary=summary), "old", gate(max_macro_f1_loss=1.0))) for _ in range(draws)
    ]
    promoted = verdicts.count("promote")
    # The tolerance: what 300 draws at the nominal rate stay within 999 times in 1,000.
    assert promoted <= stats.binom.ppf(0.999, draws, nominal), f"{promoted} of {draws}, nominal {nominal:.1%}"


@pytest.mark.parametrize("summary", [False, True])
def test_chance_harms_a_label_no_more_often_than_the_level(summary: bool) -> None:
    random, draws, params = np.random.default_rng(12), 300, gate(max_label_loss=0.0)
    harmed = sum(
        any(check.outcome == "fail" for check in harms(null(random, 600, summary=summary).labels, params))
        for _ in range(draws)
    )
    assert harmed <= stats.binom.ppf(0.999, draws, params.harm_level), f"{harmed} of {draws}"
