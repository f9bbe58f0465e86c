import re

import numpy as np
import pytest

from tasks.leaderboard.charts import AXES, LABELLED, axis_of, cost_chart, curves_chart, published_chart
from tasks.leaderboard.page import leaderboard_page
from tasks.leaderboard.runs import Cost, grouped, ranked
from tests.tasks.leaderboard.making import a_run, capstone


def entries(runs):
    return ranked(grouped(runs))


def test_the_page_stands_alone_and_is_the_same_bytes_again():
    page = leaderboard_page(capstone(), sweep="capstone")
    assert page == leaderboard_page(capstone(), sweep="capstone")
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "<script" not in page
    assert page.count("<svg") == 4
    assert "The test faces were looked at 4 times" in page


def test_published_figures_stand_beside_ours_with_the_difference_in_points():
    page = leaderboard_page(capstone())
    assert "<td>capstone-baseline</td>" in page
    assert "+1.2</td>" in page, "0.581 against 0.569"
    assert "(−0.3)</td>" in page, "0.608 on validation faces against 0.611 on test faces"
    assert "published" not in leaderboard_page([a_run("alone")])


def test_one_run_gives_a_page_without_an_empty_panel():
    page = leaderboard_page([a_run("alone", {"train.epochs": 1})])
    assert page.count("<svg") == 2
    assert "differ in no parameter" in page


def test_what_nothing_is_known_of_is_left_out_of_a_chart_and_the_page_says_so():
    page = leaderboard_page([a_run("known"), a_run("bare", {"train.epochs": 3}, curves=(), cost=Cost())])
    assert "Left out, because no time or no accuracy is known: bare." in page
    assert "Left out, because neither the cache nor the remote has their curves: bare." in page
    empty = leaderboard_page([a_run("bare", val_accuracy=None, val_macro_f1=None, curves=(), cost=Cost())])
    assert "<svg" not in empty


def test_sixty_runs_name_the_best_and_say_which_parameters_find_no_place():
    random = np.random.default_rng(0)
    runs = []
    for number in range(60):
        changed = {f"train.knob_{letter}": float(random.uniform()) for letter in "abcdefghij"}
        runs.append(a_run(f"search-{number:02}", changed, val_accuracy=float(random.uniform(0.3, 0.7))))
    page = leaderboard_page(runs)
    assert f"The {LABELLED} best have a name" in page
    assert "Left out: train.knob_i, train.knob_j." in page
    assert AXES == 8
    legend = curves_chart(entries(runs)).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [entry.name for entry in entries(runs)[:LABELLED]]


def test_drawn_faces_put_a_banner_across_the_page():
    drawn, real = a_run("drawn", synthetic=True), a_run("real")
    assert "These runs are of drawn faces" in leaderboard_page([drawn])
    assert "1 of these 2 runs are of drawn faces" in leaderboard_page([drawn, real])
    assert "drawn faces" not in leaderboard_page([real])


def test_names_are_escaped_and_experiments_that_are_no_runs_are_named():
    page = leaderboard_page([a_run("a<b")], left_out=["c&d (queued)"])
    assert "a&lt;b" in page
    assert "a<b" not in page
    assert "Left out: c&amp;d (queued)." in page


@pytest.mark.parametrize(("seconds", "scale"), [((60, 500), "linear"), ((60, 700), "log"), ((0, 700), "linear")])
def test_minutes_go_by_logarithm_where_they_span_more_than_ten_times(seconds, scale):
    runs = [a_run(f"run-{number}", cost=Cost(seconds=one)) for number, one in enumerate(seconds)]
    assert cost_chart(entries(runs)).axes[0].get_xscale() == scale


def test_no_two_names_in_the_chart_of_cost_cover_each_other():
    figure = cost_chart(entries([a_run(f"a-rather-long-name-{n}", val_accuracy=0.5 + n / 1000) for n in range(40)]))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert boxes
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])


def test_learning_rates_lie_by_their_logarithm_and_choices_at_like_distances():
    rates = axis_of("train.learning_rate", [0.0001, 0.001, 0.01])
    assert rates.places.tolist() == pytest.approx([0, 0.5, 1])
    assert axis_of("train.epochs", [10, 20, 30]).places.tolist() == pytest.approx([0, 0.5, 1])
    choices = axis_of("train.optimizer", ["sgd", "adam", "nesterov"])
    assert choices.places.tolist() == pytest.approx([1, 0, 0.5])
    assert [text for _, text in choices.ticks] == ["adam", "nesterov", "sgd"]
    assert [text for _, text in axis_of("model.filters", [None, [8, 16]]).ticks] == ["[8,16]", "null"]


def test_own_figures_of_validation_faces_are_told_from_those_of_test_faces():
    known = [entry for entry in entries(capstone()) if entry.published is not None]
    names = [text.get_text() for text in published_chart(known).legends[0].get_texts()]
    assert names == ["published, test faces", "ours, test faces", "ours, validation faces"]
