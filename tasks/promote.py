"""Make the network the champion of the registry, and the baseline to beat: `python -m tasks.promote NAME`."""

import argparse
import re
import tempfile
from pathlib import Path

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import sha256
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Predictions, read_faces, read_predictions, read_split
from tasks.gate.baselines import Record, figures, read_baselines, write_baseline
from tasks.gate.matching import Measured, choose, dataset, division, mismatches
from tasks.gate.verdict import Verdict, read_verdict
from tasks.registry.champion import crown, publish
from tasks.registry.places import head, now, registry, who


@command
def main() -> None:
    """Check that the verdict is *promote* and speaks of what lies here, and write `baseline/NAME`."""
    parser = argparse.ArgumentParser(prog="python -m tasks.promote", description=__doc__)
    parser.add_argument("name", help="of the baseline: letters, digits, - and _")
    name = parser.parse_args().name
    check_name(name)
    verdict = read_verdict(paths.VERDICT)
    check_verdict(verdict)
    predictions = read_predictions(paths.PREDICTIONS)
    measured = read_measured(predictions)
    check_still_holds(verdict, measured)
    record = Record(
        name=name,
        description=f"Promoted by the gate; the network is the model.keras of SHA-256 {sha256(paths.MODEL)}",
        source=f"python -m tasks.promote {name}",
        data=measured.data,
        split=measured.split,
        figures=figures(predictions.label, predictions.probabilities.argmax(axis=1)),
        predictions_sha256=None,
    )
    where = enthrone(name)
    write_baseline(paths.BASELINES, record, predictions)
    say(f"promoted: {paths.BASELINES / name}.json, accuracy {record.figures.accuracy:.3f}; champion of {where}")


def read_measured(predictions: Predictions) -> Measured:
    """Return what the predictions, which the gate has held against faces and split, were made on."""
    data = dataset(read_faces(paths.FACES), read_provenance(paths.PROVENANCE))
    split = division(read_split(paths.SPLIT), load_params(paths.PARAMS).split)
    return Measured(data, split, predictions.row, predictions.label)


def enthrone(name: str) -> str:
    """Publish what lies here as a version and make it the champion; return where the registry is.

    Raises:
        UserError: the registry refuses, or another promotion was quicker.
    """
    store = registry()
    from tasks.registry.making import make_version  # noqa: PLC0415 - Keras takes seconds to come, a no is said at once

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


def check_still_holds(verdict: Verdict, measured: Measured) -> None:
    """Raise UserError where the verdict is one on other faces, or on another baseline than the gate would take now."""
    judged: dict[str, str] = {one.of: one.sha256 for one in verdict.hashes}
    if measured.data.fingerprint != judged.get("data"):
        raise UserError(f"{paths.FACES}: these are not the faces that {paths.VERDICT} speaks of; run `dvc repro`")
    matching = [one for one in read_baselines(paths.BASELINES) if not mismatches(one, measured)]
    now = choose(matching) if matching else None
    name, digest = (now.record.name, now.sha256) if now else (None, None)
    if (name, digest) != (verdict.baseline_name, judged.get("baseline")):
        raise UserError(
            f"{paths.VERDICT}: it was held against {verdict.baseline_name or 'no baseline'}, and the gate would now "
            f"take {name or 'none'} as {paths.BASELINES}/ has it; run `dvc repro gate`"
        )


if __name__ == "__main__":
    main()
