import pytest

from tasks.leaderboard.figures import wilson
from tasks.leaderboard.runs import Cost, changes, grouped, of_sweep, ranked, value_text, varying
from tests.tasks.leaderboard.making import a_run


def seeds(name: str, count: int, **changed) -> list:
    return [a_run(f"{name}-s{n}", {"train.seed": n, **changed}) for n in range(1, count + 1)]


def shape(runs) -> dict[str, int]:
    return {entry.name: len(entry.runs) for entry in grouped(runs)}


def test_runs_that_differ_in_their_seed_alone_are_a_group_with_the_plain_run_of_their_name():
    assert shape([a_run("lr-low"), *seeds("lr-low", 2), a_run("lr-high"), *seeds("lr-top", 1)]) == {
        "lr-low": 3,
        "lr-high": 1,
        "lr-top-s1": 1,
    }


def test_other_parameters_another_start_or_a_seed_that_is_there_already_make_no_group():
    first, second = seeds("lr-low", 2)
    assert len(grouped([first, a_run("lr-low-s2", {"train.seed": 2, "train.epochs": 9})])) == 2
    assert len(grouped([first, a_run("lr-low-s2", {"train.seed": 2}, parent="f" * 40)])) == 2
    assert [len(entry.runs) for entry in grouped([first, second, a_run("lr-low", {"train.seed": 2})])] == [2, 1]


def test_one_run_has_the_interval_of_its_faces_and_without_their_number_none():
    known = grouped([a_run("a", val_accuracy=0.6, val_faces=500)])[0]
    assert known.val_accuracy.interval == wilson(0.6, 500)
    assert grouped([a_run("a", val_faces=None)])[0].val_accuracy.interval is None
    assert grouped([a_run("a", val_accuracy=None)])[0].val_accuracy is None


def test_a_group_costs_what_its_runs_cost_on_average():
    costs = [Cost("cpu", 60.0), Cost("cpu", 180.0), Cost("gpu")]
    runs = [a_run(f"x-s{n}", {"train.seed": n}, cost=cost) for n, cost in enumerate(costs)]
    group = grouped(runs)[0]
    assert (group.minutes, group.device, group.cost("peak_memory_mb")) == (2.0, "cpu, gpu", None)


@pytest.mark.parametrize(("by", "order"), [("accuracy", "bac?"), ("cost", "cab?")])
def test_the_best_come_first_and_those_of_which_nothing_is_known_last(by, order):
    runs = [
        a_run("?", val_accuracy=None, cost=Cost()),
        a_run("a", val_accuracy=0.5, cost=Cost(seconds=20)),
        a_run("b", val_accuracy=0.6, cost=Cost(seconds=30)),
        a_run("c", val_accuracy=0.4, cost=Cost(seconds=10)),
    ]
    assert "".join(entry.name for entry in ranked(grouped(runs), by)) == order


def test_what_all_runs_changed_alike_is_no_difference_between_them():
    one, other = a_run("a", {"train.epochs": 9}), a_run("b", {"train.epochs": 9, "augment.flip": True})
    assert varying([one, other]) == ["augment.flip"]
    assert [changes(entry, [one, other]) for entry in grouped([one, other])] == [[], ["augment.flip=true"]]
    assert changes(grouped([one])[0], [one]) == ["train.epochs=9"]


def test_the_seed_of_a_group_is_no_change_of_it():
    runs = [*seeds("wide", 3, **{"train.epochs": 7}), a_run("plain")]
    assert [changes(entry, runs) for entry in grouped(runs)] == [["train.epochs=7"], []]


def test_long_lists_are_cut():
    assert value_text([32, 64, 128]) == "[32,64,128]"
    assert value_text(list(range(100, 120))) == "[100,101,102,103,104,10…"
    assert [value_text(value) for value in (None, True, 0.0002, "adam")] == ["null", "true", "0.0002", "adam"]


@pytest.mark.parametrize(
    ("name", "sweep", "is_of"),
    [("lr-low", "lr", True), ("lr-fine-low", "lr-fine", True), ("lr-fine-low", "lr", False), ("lr", "lr", False)],
)
def test_a_run_is_of_the_sweep_with_the_longest_name_that_fits(name, sweep, is_of):
    assert of_sweep(name, sweep, ["lr", "lr-fine"]) is is_of
