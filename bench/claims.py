"""The claimed networks' predictions of FER2013's test faces, scored anew; or those of other networks.

    python -m bench.claims [NAME=FILE … [--keep OTHER]]

Run it where FER2013 was ingested and split as its authors did: `docs/predictions.parquet` has what each network said of
each row, and none of the faces or labels. It prints the table of docs/results.md: each network, their mean and spread,
and what they say together. FILE is `outputs/predictions.parquet` of a run, or `test.parquet` of `python -m bench.gpu`;
OTHER then holds them all, as `docs/predictions.parquet` does.
"""

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.files import replacing
from tasks.common.params import Evaluate
from tasks.common.reading import load_params
from tasks.common.tables import Predictions, read_faces, read_predictions, read_split
from tasks.evaluate import test_subset
from tasks.scoring.scores import Bootstrap, Scores, score

CLAIMED: Final = Path(__file__).parents[1] / "docs" / "predictions.parquet"
"""Columns: `seed` of the training, or another name; `row` of the faces table; and the probability of each label."""

HEADER: Final = ("accuracy", "macro F1", "negative log-likelihood", "accuracy without a copy", "with an exact copy")


@dataclass(frozen=True)
class Claim:
    """A network's predictions, and the copy that each face has in training: str [n], a name of `LEAKS`."""

    name: str
    predictions: Predictions
    leak: np.ndarray


@command
def main() -> None:
    """Print a row for each network, their mean and spread, and one for the mean of their probabilities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("others", nargs="*", metavar="NAME=FILE", help="predictions of other networks")
    parser.add_argument("--keep", type=Path, metavar="OTHER", help="file to write these predictions into, together")
    asked = parser.parse_args()
    faces, leak = test_subset(read_faces(paths.FACES), read_split(paths.SPLIT))
    said = list(read_others(asked.others, faces.row) if asked.others else read_claims(faces.row, faces.emotion))
    if asked.keep:
        keep(asked.keep, said)
    claims = [Claim(name, predictions, leak) for name, predictions in said]
    for line in table(claims, load_params(paths.PARAMS).evaluate):
        print(line)


def read_others(others: Sequence[str], row: np.ndarray) -> Iterator[tuple[str, Predictions]]:
    """Yield the name and the predictions of each network, from NAME=FILE; `row` as in `read_claims`.

    Raises:
        UserError: one is not of this form, a name is there twice, or a file is not there or of other faces.
    """
    names = [other.partition("=")[0] for other in others]
    for other, name in zip(others, names, strict=True):
        path = Path(other.partition("=")[2])
        if not (name and path.name):
            raise UserError(f"found {other!r}, expected NAME=FILE, as in 42=outputs/predictions.parquet")
        if names.count(name) > 1:
            raise UserError(f"two networks are called {name}: give each a name of its own")
        predictions = read_predictions(path)
        if not np.array_equal(predictions.row, row):
            raise UserError(f"{path}: its rows are not the {len(row):,} test faces here; were they split another way?")
        yield name, predictions


def keep(path: Path, said: Iterable[tuple[str, Predictions]]) -> None:
    """Write networks' predictions into one file, without the labels of the faces."""
    parts = [
        pa.table(
            {
                "seed": pa.array([name] * len(predictions)),
                "row": pa.array(predictions.row, pa.int32()),
                **{label: predictions.probabilities[:, i].astype(np.float32) for i, label in enumerate(LABELS)},
            }
        )
        for name, predictions in said
    ]
    if not parts:
        raise UserError("--keep: there is nothing to keep; name the networks, as in 42=outputs/predictions.parquet")
    with replacing(path) as beside:
        pq.write_table(pa.concat_tables(parts), beside)


def read_claims(row: np.ndarray, label: np.ndarray, path: Path = CLAIMED) -> Iterator[tuple[str, Predictions]]:
    """Yield the seed and the predictions of each network.

    Args:
        row: int32 [n], those of the test faces, in order.
        label: int8 [n], theirs.
        path: of the file.

    Raises:
        UserError: the test faces are others than those of the file, or the file is damaged.
    """
    try:
        columns = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: can't be read ({error}); bring it back with `git checkout {path}`") from error
    seeds = columns["seed"].to_numpy()
    for seed in np.unique(seeds):
        own = columns.filter(seeds == seed)
        if not np.array_equal(own["row"].to_numpy(), row):
            raise UserError(
                f"{path}: its rows are not the {len(row):,} test faces here; ingest FER2013, and split it as "
                f"{paths.PARAMS} does (split.strategy: official, split.leaks: keep)"
            )
        yield str(seed), Predictions(row, label, np.stack([own[name].to_numpy() for name in LABELS], axis=1))


def table(claims: list[Claim], params: Evaluate) -> Iterator[str]:
    """Yield lines of Markdown."""
    yield _row("`train.seed`", HEADER)
    yield _row("---", ["---"] * len(HEADER))
    scored = [_scored(claim, params) for claim in claims]
    yield from (_line(claim.name, *scores) for claim, scores in zip(claims, scored, strict=True))
    each = np.array([_values(*scores) for scores in scored])
    if len(claims) == 1:
        return
    mean, spread = each.mean(axis=0), each.std(axis=0, ddof=1)
    yield _row("mean ± standard deviation", (f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)))
    together = np.mean([claim.predictions.probabilities for claim in claims], axis=0)
    joint = replace(claims[0], predictions=replace(claims[0].predictions, probabilities=together))
    yield _line(f"the {len(claims)} networks' mean", *_scored(joint, params))


def _scored(claim: Claim, params: Evaluate) -> tuple[Scores, Scores, float]:
    """Return the scores of all faces and of those without a copy, and the accuracy of those with an exact one."""
    bootstrap, said = Bootstrap(params.resamples, params.confidence, params.seed), claim.predictions
    whole, clean = (
        score(said.label[which], said.probabilities[which], bins=params.calibration_bins, bootstrap=bootstrap)
        for which in (np.ones(len(said), bool), claim.leak == "none")
    )
    right, exact = said.probabilities.argmax(axis=1) == said.label, claim.leak == "exact"
    return whole, clean, float(right[exact].mean()) if exact.any() else math.nan


def _line(name: str, whole: Scores, clean: Scores, exact: float) -> str:
    figures = (whole.accuracy, whole.macro_f1, whole.nll, clean.accuracy)
    return _row(name, (*map(str, figures), f"{exact:.3f}"))


def _values(whole: Scores, clean: Scores, exact: float) -> tuple[float, ...]:
    return whole.accuracy.value, whole.macro_f1.value, whole.nll.value, clean.accuracy.value, exact


def _row(name: str, figures: Iterable[str]) -> str:
    return f"| {' | '.join((name, *figures))} |"


if __name__ == "__main__":
    main()
