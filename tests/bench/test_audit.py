"""The audit of labels, where it is known which are wrong."""

import numpy as np

from bench.audit import Audit, audit_page, audited, caption, crowd_of, figures, side_by_side, suspects_of
from model.labels import LABELS
from tasks.common.tables import VOTED, VOTES, Faces, Predictions

FACES = 700


def planted() -> tuple[Audit, np.ndarray]:
    """Return an audit of faces that a network knows well, and which of them have a wrong label."""
    random = np.random.default_rng(0)
    true = (np.arange(FACES) % 7).astype(np.int8)
    wrong = random.choice(FACES, 30, replace=False)
    label = true.copy()
    label[wrong] = (true[wrong] + 1 + random.integers(0, 6, 30)) % 7
    probabilities = np.full((FACES, 7), 0.02, np.float32)
    probabilities[np.arange(FACES), true] = 0.88
    probabilities += random.uniform(0, 0.01, probabilities.shape).astype(np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    votes = np.zeros((FACES, len(VOTES)), np.uint8)
    votes[np.arange(FACES), np.array(VOTED)[true]] = 10
    row = np.arange(FACES, dtype=np.int32)
    pixels = np.zeros((FACES, 48, 48), np.uint8)
    faces = Faces(row, label, np.full(FACES, "PrivateTest", object), pixels, votes)
    predictions = Predictions(row, label, probabilities)
    return Audit(faces, predictions, suspects_of(predictions), crowd_of(faces)), wrong


def test_the_faces_with_a_wrong_label_are_found_and_the_score_moves_as_it_should():
    audit, wrong = planted()
    assert set(audit.suspects) == set(wrong)
    found = dict(figures(audit))
    assert found["accuracy"] == f"{1 - 30 / FACES:.3f} of 700"
    assert found["accuracy with the likely mislabelled faces as the crowd has them"] == "1.000 of 700"
    assert found["of them, the crowd names another label"] == "1.000 of 30"
    assert found["of the others, the crowd names another label"] == "0.000 of 670"
    rows = side_by_side(audit, audited(audit.faces, audit.predictions, np.flatnonzero(np.arange(FACES) % 2)))
    accuracies = {name: values for name, *values in rows}["accuracy"]
    odd = sum(1 for index in wrong if index % 2)
    assert accuracies == [f"{1 - 30 / FACES:.3f} of 700", f"{1 - odd / 350:.3f} of 350"]
    page = audit_page(audit, rows)
    assert page.count("<figcaption>") == 30
    first = int(audit.suspects[0])
    said = caption(audit, first)
    assert said.startswith(f"{first}: {LABELS[audit.predictions.label[first]]}. Network: {LABELS[first % 7]} 0.")
    assert said.endswith(f"Crowd: {VOTES[VOTED[first % 7]]} 10")


def test_a_crowd_that_is_divided_or_names_none_of_the_seven_has_no_first_choice():
    votes = np.zeros((4, len(VOTES)), np.uint8)
    votes[0, [VOTED[2], VOTED[3]]] = 5
    votes[1, VOTES.index("contempt")] = 9
    votes[2, VOTED[5]], votes[2, VOTED[6]] = 6, 4
    faces = Faces(np.arange(4), np.zeros(4), np.full(4, "PrivateTest"), np.zeros((4, 48, 48), np.uint8), votes)
    assert crowd_of(faces).tolist() == [-1, -1, 5, -1]
