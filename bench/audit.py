"""Which test faces are likeliest mislabelled, what FER+'s crowd says of them, and how far the score would move.

    python -m bench.audit

Run it after `dvc repro`, where the data was ingested with `--votes fer2013new.csv`. Confident learning (Northcutt et
al. 2021, by `cleanlab`) holds each label against what a network says of the face, for all test faces and for those
without a copy in training, which alone the network never saw. It writes `reports/audit.html`, a page of the latter;
the crowd's votes on them, which no network saw either, say how far to trust it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from cleanlab.filter import find_label_issues

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.files import write_text
from tasks.common.tables import VOTED, VOTES, Faces, Predictions, read_faces, read_predictions, read_split
from tasks.evaluate import test_subset
from tasks.report.page import contact_sheet, page, paragraph, section, table

PAGE: Final = paths.REPORT.with_name("audit.html")

HEADER: Final = ("", "all", "without a copy in training")

SHOWN: Final = 96
"""Faces on the page."""


@dataclass(frozen=True)
class Audit:
    """Faces with predictions, and which of them look mislabelled.

    Attributes:
        faces: n of them, with votes.
        predictions: of the same faces.
        suspects: int [k], positions among them, the likeliest mislabelled first.
        crowd: int [n], the label that most annotators chose; -1 where none of the seven leads.
    """

    faces: Faces
    predictions: Predictions
    suspects: np.ndarray
    crowd: np.ndarray


@command
def main() -> None:
    """Audit, print the figures, and write the page."""
    predictions = read_predictions(paths.PREDICTIONS)
    faces, leak = test_subset(read_faces(paths.FACES), read_split(paths.SPLIT))
    if faces.votes is None:
        raise UserError(f"{paths.FACES}: has no crowd votes; ingest the data with `--votes fer2013new.csv`")
    if not np.array_equal(faces.row, predictions.row):
        raise UserError(f"{paths.PREDICTIONS}: its rows are not the test faces here; run `dvc repro evaluate`")
    unseen = audited(faces, predictions, np.flatnonzero(leak == "none"))
    rows = side_by_side(audited(faces, predictions, np.arange(len(faces))), unseen)
    for row in [HEADER, *rows]:
        print("{:68} {:>16} {:>26}".format(*row))
    write_text(PAGE, audit_page(unseen, rows))
    print(f"page: {PAGE}")


def audited(faces: Faces, predictions: Predictions, which: np.ndarray) -> Audit:
    """Return the audit of some of the faces, int [k], positions among them."""
    said = Predictions(predictions.row[which], predictions.label[which], predictions.probabilities[which])
    return Audit(faces.take(which), said, suspects_of(said), crowd_of(faces.take(which)))


def side_by_side(whole: Audit, unseen: Audit) -> list[tuple[str, str, str]]:
    """Return the figures of both, as a name and two values."""
    return [(name, one, other) for (name, one), (_, other) in zip(figures(whole), figures(unseen), strict=True)]


def suspects_of(predictions: Predictions) -> np.ndarray:
    """Return the positions of the faces that confident learning finds mislabelled, the likeliest first."""
    labels = predictions.label.astype(int)
    return np.asarray(
        find_label_issues(labels, predictions.probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    )


def crowd_of(faces: Faces) -> np.ndarray:
    """Return the label that more annotators chose than any other of FER+'s ten, or -1 where there is none."""
    votes = np.asarray(faces.votes, int)
    first, leading = votes.argmax(axis=1), np.sort(votes, axis=1)
    label_of = np.full(len(VOTES), -1)
    label_of[VOTED] = range(len(LABELS))
    return np.where(leading[:, -1] > leading[:, -2], label_of[first], -1)


def figures(audit: Audit) -> list[tuple[str, str]]:
    """Return what the audit finds, as names and values."""
    label, crowd = audit.predictions.label, audit.crowd
    said = audit.predictions.probabilities.argmax(axis=1)
    suspect = np.zeros(len(label), bool)
    suspect[audit.suspects] = True
    known = crowd >= 0
    corrected = np.where(suspect & known, crowd, label)
    return [
        ("faces", f"{len(label):,}"),
        ("likely mislabelled", f"{suspect.sum():,}"),
        ("of them, the crowd names another label", _share((crowd != label)[suspect & known])),
        ("of the others, the crowd names another label", _share((crowd != label)[~suspect & known])),
        ("of the first, the crowd names what the network says", _share((crowd == said)[suspect & known])),
        ("accuracy", _share(said == label)),
        ("accuracy with the likely mislabelled faces as the crowd has them", _share(said == corrected)),
        ("accuracy without them", _share((said == label)[~suspect])),
        ("accuracy against the crowd, where it has a first choice", _share((said == crowd)[known])),
        ("the labels' own accuracy against the crowd, on the same faces", _share((label == crowd)[known])),
    ]


def _share(hits: np.ndarray) -> str:
    return f"{hits.mean():.3f} of {len(hits):,}" if len(hits) else "no face"


def audit_page(audit: Audit, rows: Sequence[Sequence[str]]) -> str:
    """Return the page: the figures, and the likeliest mislabelled faces with what the network and the crowd say."""
    shown = audit.suspects[:SHOWN]
    sheet = contact_sheet((audit.faces.pixels[index], caption(audit, index)) for index in shown)
    return page(
        "Audit of the test labels",
        "\n".join(
            [
                paragraph(
                    "Confident learning (Northcutt et al. 2021) names the faces whose label a network finds unlikely. "
                    "Those shown have no copy in training: the network never saw them. "
                    "The votes are those of FER+'s ten annotators (Barsoum et al. 2016)."
                ),
                section("Figures", table(HEADER, rows)),
                section(f"The {len(shown)} likeliest mislabelled faces", sheet),
            ]
        ),
    )


def caption(audit: Audit, index: int) -> str:
    """Return row and label of a face, the network's label and the crowd's votes."""
    probabilities = audit.predictions.probabilities[index]
    votes = np.asarray(audit.faces.votes)[index]
    order = [vote for vote in np.argsort(-votes, kind="stable") if votes[vote]]
    crowd = ", ".join(f"{VOTES[vote]} {votes[vote]}" for vote in order) or "no votes"
    network = f"{LABELS[probabilities.argmax()]} {probabilities.max():.2f}"
    return f"{audit.faces.row[index]}: {LABELS[audit.predictions.label[index]]}. Network: {network}. Crowd: {crowd}"


if __name__ == "__main__":
    main()
