"""How far FER+'s annotators agree with FER2013's labels on the test faces: the ceiling to hold a network against.

    python -m bench.annotators

Run it where the data was ingested with `--votes fer2013new.csv`. Barsoum et al. 2016 asked ten people a face; votes for
contempt, "unknown" and "not a face" count as disagreement.
"""

import numpy as np

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.tables import VOTED, read_faces


@command
def main() -> None:
    """Print the share of votes, and of majorities, that name the label: over all test faces and by label."""
    faces = read_faces(paths.FACES)
    if faces.votes is None:
        raise UserError(f"{paths.FACES}: has no crowd votes; ingest the data with `--votes fer2013new.csv`")
    faces = faces.take(np.flatnonzero(faces.usage == "PrivateTest"))
    votes = np.asarray(faces.votes, float)
    total = votes.sum(axis=1)
    faces, votes, total = faces.take(np.flatnonzero(total)), votes[total > 0], total[total > 0]
    own = votes[np.arange(len(votes)), np.array(VOTED)[faces.emotion]]
    annotator, crowd = own / total, own == votes.max(axis=1)
    print(f"{len(faces):,} PrivateTest faces with votes")
    print(f"{'':10} one annotator says the label   the crowd's first choice is the label   no vote names it")
    for name, part in [("all", faces.emotion >= 0), *[(label, faces.emotion == i) for i, label in enumerate(LABELS)]]:
        shares = annotator[part].mean(), crowd[part].mean(), (own[part] == 0).mean()
        print(f"{name:10} {shares[0]:28.3f}   {shares[1]:37.3f}   {shares[2]:16.3f}")


if __name__ == "__main__":
    main()
