"""The claimed networks' predictions of FER2013's test faces, scored anew.

    python -m bench.claims

Run it where FER2013 was ingested and split as its authors did: `docs/predictions.parquet` has what each network said of
each row, and none of the faces or labels. It prints the table of docs/results.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.params import Evaluate
from tasks.common.reading import load_params
from tasks.common.tables import Predictions, read_faces, read_split
from tasks.evaluate import test_subset
from tasks.scoring.scores import Bootstrap, Scores, score

CLAIMED: Final = Path(__file__).parents[1] / "docs" / "predictions.parquet"
"""Columns: `seed` of the training, `row` of the faces table, and the probability of each label."""

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
    faces, leak = test_subset(read_faces(paths.FACES), read_split(paths.SPLIT))
    claims = [Claim(name, predictions, leak) for name, predictions in read_claims(faces.row, faces.emotion)]
    for line in table(claims, load_params(paths.PARAMS).evaluate):
        print(line)


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
    return whole, clean, float(right[exact].mean())


def _line(name: str, whole: Scores, clean: Scores, exact: float) -> str:
    figures = (whole.accuracy, whole.macro_f1, whole.nll, clean.accuracy)
    return _row(name, (*map(str, figures), f"{exact:.3f}"))


def _values(whole: Scores, clean: Scores, exact: float) -> tuple[float, ...]:
    return whole.accuracy.value, whole.macro_f1.value, whole.nll.value, clean.accuracy.value, exact


def _row(name: str, figures: Iterable[str]) -> str:
    return f"| {' | '.join((name, *figures))} |"


if __name__ == "__main__":
    main()
