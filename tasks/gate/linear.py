"""Make a baseline of what lies there: `python -m tasks.gate.linear NAME`.

Fits a ridge classifier to the pixels of the training subset (`gate.ridge_alpha`, `gate.ridge_faces`), makes its
decision values probabilities by a softmax with one factor, fitted to the validation subset, and writes its figures and
predictions on the test subset to `baseline/NAME.json` and `baseline/NAME.parquet`. How `sample-linear` is made:

    python -m tasks.ingest sample && dvc repro split && python -m tasks.gate.linear sample-linear
"""

import argparse
import re

import numpy as np
from scipy.special import softmax

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.params import Gate
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, Predictions, Split, read_faces, read_split
from tasks.gate.baselines import Record, figures, write_baseline
from tasks.gate.matching import dataset, division
from tasks.gate.ridge import decisions, fit_ridge, sharpness


@command
def main() -> None:
    """Read faces and split, fit, and write the baseline."""
    parser = argparse.ArgumentParser(prog="python -m tasks.gate.linear", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the baseline: letters, digits and hyphens")
    name = parser.parse_args().name
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UserError(
            f"NAME: found {name!r}, expected lower-case letters, digits and single hyphens, as in my-baseline"
        )
    params = load_params(paths.PARAMS)
    faces, split, provenance = read_faces(paths.FACES), read_split(paths.SPLIT), read_provenance(paths.PROVENANCE)
    predictions = predict(faces, split, params.gate)
    record = Record(
        name=name,
        description="Ridge classifier on the pixels, its decision values made probabilities on the validation subset",
        source=f"python -m tasks.gate.linear {name}",
        data=dataset(faces, provenance),
        split=division(split, params.split),
        figures=figures(predictions.label, predictions.probabilities.argmax(axis=1)),
        predictions_sha256=None,
    )
    write_baseline(paths.BASELINES, record, predictions)
    say(f"{name}: accuracy {record.figures.accuracy:.3f}, macro F1 {record.figures.macro_f1:.3f}")


def predict(faces: Faces, split: Split, params: Gate) -> Predictions:
    """Fit to the training subset and predict the test subset; the validation subset sets the probabilities."""
    train, validation, test = (faces.take(split.index(name)) for name in ("train", "validation", "test"))
    for name, subset in (("train", train), ("validation", validation), ("test", test)):
        if len(subset) == 0:
            raise UserError(f"{paths.SPLIT}: found no {name} face, expected some; change the split")
    ridge = fit_ridge(train.pixels, train.emotion, alpha=params.ridge_alpha, most=params.ridge_faces)
    factor = sharpness(decisions(ridge, validation.pixels), validation.emotion)
    probabilities = softmax(factor * decisions(ridge, test.pixels), axis=1).astype(np.float32)
    return Predictions(test.row, test.emotion, probabilities)


if __name__ == "__main__":
    main()
