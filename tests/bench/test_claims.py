"""The predictions that stand behind what is claimed."""

import numpy as np
import pytest

from bench.claims import Claim, keep, read_claims, read_others, table
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.reading import load_params
from tasks.common.tables import Predictions, write_predictions
from tests.conftest import ROOT

PRIVATE = np.arange(35_887 - 3_589, 35_887, dtype=np.int32)
"""Rows of the test faces in fer2013.csv."""


def test_there_are_five_seeds_and_each_speaks_of_every_test_face():
    claims = dict(read_claims(PRIVATE, np.zeros(len(PRIVATE), np.int8)))
    assert list(claims) == ["42", "43", "44", "45", "46"]
    for predictions in claims.values():
        np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-4)
    first, *others = (predictions.probabilities for predictions in claims.values())
    assert all((other != first).any() for other in others)


def test_other_faces_are_refused():
    with pytest.raises(UserError, match="its rows are not the 3,589 test faces here"):
        list(read_claims(PRIVATE - 1, np.zeros(len(PRIVATE), np.int8)))


@pytest.mark.parametrize("content", [None, b"", b"PAR1 cut short"])
def test_a_file_that_is_missing_or_damaged_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "predictions.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"predictions\.parquet: can't be read"):
        list(read_claims(PRIVATE, np.zeros(len(PRIVATE), np.int8), path))


def test_the_table_scores_what_the_networks_said():
    row = np.arange(3_589)
    (name, first), (_, second), *_ = read_claims(PRIVATE, np.zeros(len(PRIVATE), np.int8))
    leak = np.where(row < 100, "exact", "none")
    label = np.where(row < 359, (first.probabilities.argmax(axis=1) + 1) % 7, first.probabilities.argmax(axis=1))
    for predictions in (first, second):
        predictions.label[:] = label
    lines = list(
        table([Claim(name, first, leak), Claim("43", second, leak)], load_params(ROOT / paths.PARAMS).evaluate)
    )
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells[1:3] == ["42", f"{1 - 359 / 3589:.3f} [0.890, 0.910]"]
    assert cells[5].startswith(f"{1 - 259 / 3489:.3f} [")
    assert cells[6] == "0.000"
    assert len(lines) == 6
    together = (first.probabilities + second.probabilities).argmax(axis=1)
    assert lines[-1].startswith(f"| the 2 networks' mean | {(together == label).mean():.3f} [")


def test_predictions_of_other_networks_are_read_kept_together_and_read_again(tmp_path):
    row, label = np.arange(100, 105, dtype=np.int32), np.arange(5, dtype=np.int8)
    draws = np.random.default_rng(0)
    said = {name: draws.dirichlet(np.ones(7), 5).astype(np.float32) for name in ("vgg", "wide")}
    for name, probabilities in said.items():
        write_predictions(tmp_path / f"{name}.parquet", Predictions(row, label, probabilities))
    others = [f"{name}={tmp_path / name}.parquet" for name in said]
    keep(tmp_path / "kept.parquet", read_others(others, row))
    again = dict(read_claims(row, label, tmp_path / "kept.parquet"))
    assert list(again) == list(said)
    for name, predictions in again.items():
        np.testing.assert_array_equal(predictions.probabilities, said[name])
        np.testing.assert_array_equal(predictions.label, label)

    for wrong, sentence in (
        (["vgg"], "expected NAME=FILE"),
        ([others[0], others[0]], "two networks are called vgg"),
        ([f"vgg={tmp_path / 'absent.parquet'}"], r"absent\.parquet: no such file"),
    ):
        with pytest.raises(UserError, match=sentence):
            list(read_others(wrong, row))
    with pytest.raises(UserError, match="its rows are not the 5 test faces here"):
        list(read_others(others, row + 1))
    with pytest.raises(UserError, match="nothing to keep"):
        keep(tmp_path / "none.parquet", [])
    assert not (tmp_path / "none.parquet").exists()


def test_one_network_alone_has_no_spread():
    name, predictions = next(read_claims(PRIVATE, np.zeros(len(PRIVATE), np.int8)))
    claim = Claim(name, predictions, np.full(len(PRIVATE), "none"))
    lines = list(table([claim], load_params(ROOT / paths.PARAMS).evaluate))
    assert len(lines) == 3
    assert lines[2].startswith("| 42 | ")
