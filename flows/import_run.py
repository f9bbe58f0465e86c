"""Make an experiment of a training that `python -m bench.gpu` made on another machine: `make import-run DIR=…`.

In a clone of the repository, the parameters become those of the training, the split is made by them, the training
stands in for the stage `train` (parameters, faces, split and code are compared first), and the train flow does the
rest: evaluate, gate, save, push. The workspace stays as it is.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from flows.data import PIN
from flows.experiment import check_name
from flows.leash import Leash
from flows.overrides import apply
from flows.places import place
from flows.sweep.definition import overrides
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.reading import read_values

TAKEN: Final = ("split", "model", "train", "augment", "evaluate")
"""The sections of `params.yaml` that a run may set; what passes as data, and what is promoted, is said here alone."""


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.import_run", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="that `python -m bench.gpu` has filled")
    parser.add_argument("--experiment", metavar="NAME", help="of the DVC experiment; without it, that of the folder")
    options = parser.parse_args()
    folder = options.folder.resolve()
    import_run(Path.cwd(), folder, options.experiment or folder.name)


def import_run(root: Path, folder: Path, name: str) -> None:
    """Take a training in as an experiment of the repository at `root`.

    Raises:
        UserError: the name is taken, the data is not here, or the folder holds no training of this repository.
    """
    check_name(root, name, replace=False)
    theirs = folder / paths.PARAMS
    if not theirs.is_file():
        raise UserError(f"{theirs}: no such file; name a folder that `python -m bench.gpu` has filled")
    with place(root, name) as clone, Leash(clone) as leash:
        apply(clone / paths.PARAMS, overrides(differing(read_values(clone / paths.PARAMS), read_values(theirs))))
        steps = (
            (["dvc", "checkout", "--quiet", PIN], f"{PIN}: what it pins is not in the cache; bring it with `dvc pull`"),
            (["dvc", "repro", "split"], "the split failed"),
            ([sys.executable, "-m", "tasks.train.take", str(folder)], "the training can't be taken in"),
            (["dvc", "commit", "--force", "--quiet", "train"], "dvc commit failed"),
            ([sys.executable, "-m", "flows.train", "--experiment", name], "the run failed"),
        )
        for words, otherwise in steps:
            _follow(leash, words, otherwise)


def differing(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a training that are not those of a workspace, by dotted name."""

    def leaves(values: Any, prefix: str) -> dict[str, Any]:
        if not isinstance(values, dict):
            return {prefix: values}
        return {name: leaf for key in values for name, leaf in leaves(values[key], f"{prefix}.{key}").items()}

    before = {name: leaf for section in TAKEN for name, leaf in leaves(ours.get(section), section).items()}
    after = {name: leaf for section in TAKEN for name, leaf in leaves(theirs.get(section), section).items()}
    return {name: leaf for name, leaf in after.items() if name not in before or before[name] != leaf}


def _follow(leash: Leash, words: list[str], otherwise: str) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        say(line)
        lines.append(line)

    if leash.run(words, hear):
        sentence = next((line for line in reversed(lines) if line.startswith("error: ")), f"error: {otherwise}")
        raise UserError(sentence.removeprefix("error: "))


if __name__ == "__main__":
    main()
