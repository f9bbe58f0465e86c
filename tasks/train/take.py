"""`python -m tasks.train.take FOLDER`: take in a training that was made on another machine, as if it were made here.

Parameters, faces, split and code must be those of this workspace.
"""

import argparse
import shutil
from pathlib import Path

import model.lean  # noqa: F401 - before anything that imports Keras
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import command
from tasks.common.files import replacing, write_json
from tasks.common.reading import load_params
from tasks.common.tables import read_faces, read_split
from tasks.train import handover
from tasks.train.learning import identity
from tasks.train.showing import record, recorded


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tasks.train.take", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="that `python -m bench.gpu` has filled")
    take(parser.parse_args().folder)


def take(folder: Path) -> None:
    """Put network, figures and curves where the stage puts them.

    Raises:
        UserError: the folder holds no whole training, or one that this workspace does not ask for.
    """
    run, history = handover.read_run(folder), handover.read_history(folder)
    ours = identity(load_params(paths.PARAMS), read_faces(paths.FACES), read_split(paths.SPLIT))
    handover.check_identity(folder, run.identity, ours)
    with recorded(paths.HISTORY) as live:
        for figures in history:
            record(live, figures)
    with replacing(paths.MODEL) as beside:
        shutil.copy(folder / handover.MODEL, beside)
    write_json(paths.TRAINING, run.training)
    write_json(paths.COST, run.cost)
    accuracy = f"validation accuracy {run.training['val_accuracy']:.3f}"
    say(f"{folder}: {len(history)} epochs on {run.cost['device']}, {accuracy}")


if __name__ == "__main__":
    main()
