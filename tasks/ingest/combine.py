"""Several sources, made one table."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tasks.common import spill
from tasks.common.errors import UserError
from tasks.common.provenance import Part
from tasks.common.tables import VOTES, Faces
from tasks.ingest.source import Source


def combined(sources: Sequence[Source]) -> tuple[Source, tuple[Part, ...]]:
    """Put the faces of several sources one after the other; of one source, return it as it is.

    Rows are numbered on from source to source, those that were left out counted. Each face's `source` is its source's
    name, and its `subject`, where its set names one, has that name before it: two sets may call two persons the same.
    A face without votes has none.

    Returns:
        the table as a source, and what it was made of; nothing of one source.

    Raises:
        UserError: two sources have one name, or one of them holds no face.
    """
    for source in sources:
        if not len(source.faces):
            raise UserError(f"{source.name}: none of its {source.rows:,} rows is a face; give another source")
    if len(sources) == 1:
        return sources[0], ()
    names = [source.name for source in sources]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"--add: two sources are called {twice[0]}; rename one, so that faces can be told apart")
    starts = np.cumsum([0, *(source.rows for source in sources)])
    dropped = sum((Counter(source.dropped) for source in sources), Counter[str]())
    table = Source(
        name=" + ".join(names),
        layout=" + ".join(source.layout for source in sources),
        sha256=hashlib.sha256("".join(f"{source.sha256}\n" for source in sources).encode()).hexdigest(),
        faces=_stacked(sources, starts),
        rows=int(starts[-1]),
        challenge_order=False,
        synthetic=any(source.synthetic for source in sources),
        dropped=dict(sorted(dropped.items())),
    )
    return table, tuple(
        Part(source=one.name, layout=one.layout, sha256=one.sha256, rows=len(one.faces), origin=one.origin)
        for one in sources
    )


def _stacked(sources: Sequence[Source], starts: np.ndarray) -> Faces:
    def stack(column: Callable[[Source], np.ndarray]) -> np.ndarray:
        return np.concatenate([column(source) for source in sources])

    rows = [(source.faces.row + start).astype(np.int32) for source, start in zip(sources, starts, strict=False)]
    voted = any(source.faces.votes is not None for source in sources)
    named = any(source.faces.subject is not None for source in sources)
    return Faces(
        row=np.concatenate(rows),
        emotion=stack(lambda source: source.faces.emotion),
        usage=stack(lambda source: source.faces.usage),
        pixels=spill.stacked([source.faces.pixels for source in sources]),
        votes=stack(_votes) if voted else None,
        subject=stack(_subjects) if named else None,
        source=stack(lambda source: np.full(len(source.faces), source.name, object)),
    )


def _votes(source: Source) -> np.ndarray:
    none = np.zeros((len(source.faces), len(VOTES)), np.uint8)
    return none if source.faces.votes is None else source.faces.votes


def _subjects(source: Source) -> np.ndarray:
    if source.faces.subject is None:
        return np.full(len(source.faces), "", object)
    return np.array([subject and f"{source.name}/{subject}" for subject in source.faces.subject], object)
