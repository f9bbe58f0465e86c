"""Make the network the champion of the registry, and the baseline to beat: `python -m tasks.promote NAME`."""

import argparse
import re
import tempfile
from pathlib import Path

import model.lean  # noqa: F401 - before anything that imports Keras
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import sha256
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import read_faces, read_predictions, read_split
from tasks.gate.baselines import Record, figures, write_baseline
from tasks.gate.fitting import dataset, division
from tasks.gate.verdict import Verdict, read_verdict
from tasks.registry.champion import crown, publish
from tasks.registry.making import make_version
from tasks.registry.places import head, now, registry, who


@command
def main() -> None:
    """Check that the verdict is *promote* and speaks of what lies here, and write `baseline/NAME`."""
    parser = argparse.ArgumentParser(prog="python -m tasks.promote", description=__doc__)
    parser.add_argument("name", help="of the baseline: letters, digits, - and _")
    name = parser.parse_args().name
    check_name(name)
    check_verdict(read_verdict(paths.VERDICT))
    faces, split, predictions = read_faces(paths.FACES), read_split(paths.SPLIT), read_predictions(paths.PREDICTIONS)
    record = Record(
        name=name,
        description=f"Promoted by the gate; the network is the model.keras of SHA-256 {sha256(paths.MODEL)}",
        source=f"python -m tasks.promote {name}",
        data=dataset(faces, read_provenance(paths.PROVENANCE)),
        split=division(split, load_params(paths.PARAMS).split),
        figures=figures(predictions.label, predictions.probabilities.argmax(axis=1)),
        predictions_sha256=None,
    )
    where = enthrone(name)
    write_baseline(paths.BASELINES, record, predictions)
    say(f"promoted: {paths.BASELINES / name}.json, accuracy {record.figures.accuracy:.3f}; champion of {where}")


def enthrone(name: str) -> str:
    """Publish what lies here as a version and make it the champion; return where the registry is.

    Raises:
        UserError: the registry refuses, or another promotion was quicker.
    """
    store = registry()
    with tempfile.TemporaryDirectory() as folder:
        publish(store, Path(folder), make_version(name, head(), Path(folder)))
    reason = next(iter(read_verdict(paths.VERDICT).reasons), "the gate says promote")
    crown(store, name, kind="promotion", who=who(), when=now(), reason=reason)
    return store.address


def check_name(name: str) -> None:
    """Raise UserError where the name is none, or where a baseline has it: a baseline is never replaced."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UserError(f"NAME: found {name!r}, expected letters, digits, - and _, as in wider-network")
    if (paths.BASELINES / f"{name}.json").exists():
        raise UserError(f"{paths.BASELINES / name}.json: this baseline is there already; choose another name")


def check_verdict(verdict: Verdict) -> None:
    """Raise UserError where the verdict is not *promote*, or is one on other files than those that lie here."""
    if verdict.verdict != "promote":
        raise UserError(f"{paths.VERDICT}: the verdict is {verdict.verdict}, expected promote; nothing is promoted")
    judged: dict[str, str] = {one.of: one.sha256 for one in verdict.hashes}
    for of, path in (("model", paths.MODEL), ("predictions", paths.PREDICTIONS), ("split", paths.SPLIT)):
        try:
            found = sha256(path)
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file; run `dvc repro`") from error
        if found != judged.get(of):
            raise UserError(f"{path}: it is not what {paths.VERDICT} judged; run `dvc repro gate`")


if __name__ == "__main__":
    main()
