"""What is read of real experiments, held against `dvc exp show --json`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from flows.sweep.experiments import is_own, on_one_data, read_runs
from tasks.leaderboard.runs import changes, grouped
from tasks.leaderboard.table import honesty, rows
from tests.flows.conftest import exps
from tests.flows.leaderboard.toy import PARAMS, RUNS, TOY, UNTIL_TRAIN, by_name, experiment
from tests.workspaces import commit, run


def test_every_figure_and_parameter_is_that_of_dvc_exp_show(board):
    runs, shown = by_name(board), exps(board)
    assert set(runs) == set(RUNS) == set(shown)
    for name, data in shown.items():
        one = runs[name]
        metrics = {path: file["data"] for path, file in data["metrics"].items()}
        sections = data["params"]["params.yaml"]["data"]
        assert one.commit == data["rev"]
        assert one.params == {f"{part}.{key}": value for part in sections for key, value in sections[part].items()}
        training, cost = metrics["metrics/training.json"], metrics["metrics/cost.json"]
        assert (one.val_accuracy, one.val_macro_f1, one.val_faces) == (
            training["val_accuracy"],
            training["val_macro_f1"],
            training["val_faces"],
        )
        assert {key: getattr(one.cost, key) for key in cost} == cost
        if name in UNTIL_TRAIN:
            assert one.test is None
        else:
            assert one.test.accuracy == metrics["metrics/scores.json"]["accuracy"]
            assert one.test.macro_f1 == metrics["metrics/scores.json"]["macro_f1"]
            assert one.test.verdict == metrics["metrics/verdict.json"]["verdict"]


def test_a_run_that_stopped_after_training_does_not_show_the_scores_that_it_carries(board):
    carried = exps(board)["grid-unscored"]["metrics"]["metrics/scores.json"]["data"]
    committed = json.loads((board / "metrics/scores.json").read_text())
    assert carried == committed, "it carries the scores of the commit that it started from"
    runs = by_name(board)
    assert runs["grid-unscored"].test is None
    assert runs["grid-long"].test is not None
    assert runs["grid-unscored"].val_accuracy > runs["grid-long"].val_accuracy
    said = honesty(list(runs.values()))
    assert said.endswith("The test faces were looked at 2 times, by grid-fast, grid-long.")


def test_scores_that_another_run_left_in_the_workspace_are_not_those_of_the_next(copy):
    run(copy, "dvc", "exp", "run", "--name", "first", "-S", "train.epochs=6")
    run(copy, "dvc", "exp", "run", "--name", "second", "-S", "train.epochs=7", "train")
    shown = exps(copy)
    figures = [shown[name]["metrics"]["metrics/scores.json"]["data"]["accuracy"] for name in ("first", "second")]
    assert figures == [0.66, 0.66]
    runs = by_name(copy)
    assert runs["first"].test.accuracy == 0.66
    assert runs["second"].test is None


def test_a_network_that_was_never_trained_with_its_parameters_has_no_figures(copy):
    change = {"train": PARAMS["train"] | {"epochs": 8}, "evaluate": PARAMS["evaluate"]}
    (copy / "params.yaml").write_text(yaml.safe_dump(change))
    run(copy, "git", "add", "params.yaml")
    tree = run(copy, "git", "write-tree").strip()
    head = run(copy, "git", "rev-parse", "HEAD").strip()
    made = run(copy, "git", "commit-tree", tree, "-p", head, "-m", "hollow").strip()
    run(copy, "git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/hollow", made)
    hollow = by_name(copy)["hollow"]
    assert hollow.changed == {"train.epochs"}
    assert (hollow.val_accuracy, hollow.test, hollow.cost.seconds, hollow.curves) == (None, None, None, ())


def test_old_scores_that_a_forced_save_notes_beside_a_new_network_are_not_its_own(copy):
    (copy / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"train": PARAMS["train"] | {"epochs": 8}}))
    run(copy, "dvc", "repro", "--quiet", "train")
    run(copy, "dvc", "exp", "save", "--force", "--name", "forced")
    forced = by_name(copy)["forced"]
    lock = yaml.safe_load((copy / "dvc.lock").read_text())["stages"]
    trained = next(out["md5"] for out in lock["train"]["outs"] if out["path"] == "outputs/model.keras")
    assert lock["evaluate"]["deps"][0]["md5"] == trained, "DVC noted the old scores as those of the new network"
    assert forced.val_accuracy == json.loads((copy / "metrics/training.json").read_text())["val_accuracy"]
    assert forced.test is None


def test_a_file_is_own_only_where_its_whole_chain_ran_as_the_experiment_says(board):
    lock = yaml.safe_load((board / "dvc.lock").read_text())["stages"]
    params = {f"{part}.{key}": value for part, values in PARAMS.items() for key, value in values.items()}
    scores, verdict = Path("metrics/scores.json"), Path("metrics/verdict.json")
    assert is_own(scores, lock, {}, params)
    assert is_own(verdict, lock, {}, params)
    assert not is_own(scores, lock, {}, params | {"evaluate.flip": True})
    assert not is_own(verdict, lock, {}, params | {"train.epochs": 3})
    assert not is_own(scores, {}, {}, params)
    assert not is_own(scores, {"evaluate": lock["evaluate"] | {"outs": []}}, {}, params)


def test_seeds_are_one_line_with_mean_deviation_and_interval(board):
    runs = list(by_name(board).values())
    group = next(entry for entry in grouped(runs) if len(entry.runs) > 1)
    figures = [exps(board)[f"seeds-wide-s{n}"]["metrics"]["metrics/training.json"]["data"] for n in (1, 2, 3)]
    values = [figure["val_accuracy"] for figure in figures]
    mean, error = np.mean(values), stats.sem(values)
    assert group.name == "seeds-wide"
    assert group.val_accuracy.value == pytest.approx(mean)
    assert group.val_accuracy.deviation == pytest.approx(np.std(values, ddof=1))
    assert group.val_accuracy.interval == pytest.approx(stats.t.interval(0.95, 2, mean, error))
    assert changes(group, runs) == ["train.filters=[32]"]
    shown = [row["run"] for row in rows(runs) if "wide" in row["run"]]
    assert shown == ["seeds-wide (3 seeds)", "· seeds-wide-s3", "· seeds-wide-s2", "· seeds-wide-s1"]


def test_changed_parameters_are_those_in_which_the_runs_differ(board):
    table = {row["run"]: row["changed"] for row in rows(read_runs(board, None, lambda name: "grid" in name).runs)}
    assert table == {
        "grid-unscored": "train.epochs=9 train.learning_rate=0.03",
        "grid-fast": "train.epochs=3 train.filters=[4,8,16] train.learning_rate=0.02",
        "grid-long": "train.epochs=5",
    }


def test_curves_intervals_and_drawn_faces_come_from_the_experiments_outputs(board):
    one = by_name(board)["grid-fast"]
    validation = next(curve for curve in one.curves if (curve.part, curve.measure) == ("val", "accuracy"))
    assert validation.epochs == (1, 2, 3)
    assert validation.values[-1] == one.val_accuracy
    assert one.test.interval == pytest.approx((0.61, 0.65))
    assert one.synthetic


def test_a_parameter_that_an_experiment_does_not_have_is_no_change_of_it(copy):
    (copy / "params.yaml").write_text(yaml.safe_dump({"train": PARAMS["train"], "evaluate": {"turn": False}}))
    (copy / "toy.py").write_text(TOY.replace("flip", "turn"))
    run(copy, "dvc", "exp", "run", "--name", "renamed")
    assert by_name(copy)["renamed"].changed == {"evaluate.turn"}


def test_a_verdict_on_other_faces_does_not_say_what_the_faces_are(copy):
    lock = yaml.safe_load((copy / "dvc.lock").read_text())["stages"]
    assert on_one_data(lock)
    faces = [{"path": "data/faces.parquet", "hash": "md5", "md5": digit * 32} for digit in "01"]
    lock["train"]["deps"], lock["gate"]["deps"] = faces[:1], faces[1:]
    assert not on_one_data(lock)


def test_without_the_cache_curves_and_intervals_are_left_out_and_the_figures_stay(copy):
    shutil.rmtree(copy / ".dvc" / "cache")
    runs = by_name(copy)
    assert {one.curves for one in runs.values()} == {()}
    assert runs["grid-long"].test.accuracy == 0.65
    assert runs["grid-long"].test.interval is None


def test_a_metrics_file_that_is_no_json_costs_its_own_figures_alone(copy):
    script = copy / "toy.py"
    script.write_text(
        TOY.replace('"peak_memory_mb": 512.0})', '"peak_memory_mb": 512.0})\n    write("metrics/cost.json", "{")')
    )
    experiment(copy, "broken", "train.epochs=4")
    broken = by_name(copy)["broken"]
    assert broken.cost.seconds is None
    assert broken.val_accuracy is not None
    assert rows([broken])[0]["minutes"] == "–"


def test_queued_experiments_are_left_out_by_name_and_failed_ones_leave_no_trace(copy):
    run(copy, "dvc", "exp", "run", "--queue", "--name", "waiting", "-S", "train.epochs=8")
    run(copy, "dvc", "exp", "run", "--temp", "--name", "failing", "-S", "train.epochs=many", ok=False)
    found = read_runs(copy)
    assert found.left_out == ("waiting (queued)",)
    assert {one.name for one in found.runs} == set(RUNS)


def test_experiments_of_earlier_commits_are_compared_too(copy):
    (copy / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"train": PARAMS["train"] | {"learning_rate": 0.05}}))
    run(copy, "dvc", "repro", "--quiet")
    commit(copy, "another rate")
    experiment(copy, "later", "train.epochs=5")
    runs = by_name(copy)
    assert set(runs) == {*RUNS, "later"}
    assert runs["later"].changed == {"train.epochs"}
    lines = {row["run"]: row["changed"] for row in rows([runs["later"], runs["grid-long"]])}
    assert lines == {"later": "train.learning_rate=0.05", "grid-long": "train.learning_rate=0.01"}
