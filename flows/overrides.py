"""Changed parameters of one run, in the syntax of `dvc exp run -S`, checked before anything runs."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.files import replacing
from tasks.common.reading import load_params

KEPT: Final = Path(".dvc/tmp/params.yaml.before")
"""What `params.yaml` held before a run that changed it."""

WRITTEN: Final = Path(".dvc/tmp/params.yaml.during")
"""What such a run wrote into it."""


def check_overrides(root: Path, overrides: Sequence[str]) -> None:
    """Check `params.yaml` under `root` with the overrides in it, and change nothing.

    Args:
        root: of the repository.
        overrides: such as `train.learning_rate=0.0002`.

    Raises:
        UserError: an override is none, or its name or value is wrong; the sentence has the nearest right name. Or there
            is no `params.yaml`.
    """
    if not (root / paths.PARAMS).exists():
        raise UserError(
            f"{paths.PARAMS}: no such file; `git checkout HEAD {paths.PARAMS}` brings back that of the last commit"
        )
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "params.yaml"
        shutil.copy(root / paths.PARAMS, beside)
        apply(beside, overrides)
        try:
            load_params(beside)
        except UserError as error:
            sentence = str(error).replace(str(beside), "overrides" if overrides else str(paths.PARAMS))
            raise UserError(sentence) from error


@contextmanager
def overridden(root: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Have the overrides in `params.yaml` inside the block, and what was there before after it.

    What a killed run left changed is put back by the next one, whatever its own overrides. What somebody wrote into the
    file meanwhile stays.
    """
    params, kept, written = root / paths.PARAMS, root / KEPT, root / WRITTEN
    _put_back(params, kept, written)
    if not overrides:
        yield
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(params, written)
    apply(written, overrides)
    with replacing(kept) as beside:
        shutil.copy2(params, beside)
    try:
        with replacing(params) as beside:
            shutil.copy2(written, beside)
        yield
    finally:
        _put_back(params, kept, written)


def _put_back(params: Path, kept: Path, written: Path) -> None:
    if not kept.exists():
        return
    if params.read_bytes() == written.read_bytes():
        kept.replace(params)
    kept.unlink(missing_ok=True)
    written.unlink()


def apply(path: Path, overrides: Sequence[str]) -> None:
    """Write overrides into a parameter file, unchecked but for their syntax.

    Raises:
        UserError: an override is not `name=value`.
    """
    for override in overrides:
        name, equals, _ = override.partition("=")
        if not equals or not name.strip():
            raise UserError(f"overrides: found {override!r}, expected name=value, as in train.learning_rate=0.0002")
        try:
            # `++` also takes a name that is not there: the typed description refuses it with the nearest right one.
            apply_overrides(path, [f"++{override.strip().lstrip('+')}"])
        except InvalidArgumentError as error:
            raise UserError(f"overrides: {override!r}: {error.__cause__ or error}") from error
