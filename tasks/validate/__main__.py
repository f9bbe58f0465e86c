"""The step: check the faces, write metrics and report, and stop the pipeline where a critical expectation fails."""

from dataclasses import asdict
from typing import Any

from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import write_json, write_text
from tasks.common.paths import FACES, PARAMS, PROVENANCE, VALIDATION, VALIDATION_REPORT
from tasks.common.provenance import Provenance, read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, read_faces
from tasks.duplicates import find_copies
from tasks.validate.expectations import Outcome, run, suite
from tasks.validate.features import Features, describe
from tasks.validate.report import report


def metrics(outcomes: list[Outcome], features: Features) -> dict[str, Any]:
    """Return what `metrics/validation.json` holds: figures for DVC's columns, and every outcome."""
    return {
        "success": not failed(outcomes, "critical"),
        "rows": len(features.faces),
        "duplicates": int(features.faces["copied"].sum()),
        "near_duplicates": int(features.faces["near"].sum()),
        "leaked": int(features.faces["leaked"].sum()),
        "warnings": len(failed(outcomes, "warning")),
        "expectations": [asdict(outcome) for outcome in outcomes],
    }


def failed(outcomes: list[Outcome], severity: str) -> list[Outcome]:
    """Return the failed outcomes of one severity."""
    return [outcome for outcome in outcomes if not outcome.success and outcome.severity == severity]


def check_whole(faces: Faces, provenance: Provenance) -> None:
    """Refuse faces that are not those which were ingested.

    Parquet reads changed pixels without a word, and DVC would take them for new data: nothing else would notice.

    Raises:
        UserError: rows, labels or pixels differ.
    """
    try:
        found = faces.fingerprint()
    except ValueError:  # words where `ingest` writes numbers: the expectations say which
        return
    if found != provenance.fingerprint:
        raise UserError(
            f"{FACES} isn't what ingest wrote (found the fingerprint {found}, expected {provenance.fingerprint} of "
            f"{PROVENANCE}): bring it back with `dvc checkout`, or ingest again"
        )


@command
def main() -> None:
    """Read the faces, check them, write metrics and report."""
    params = load_params(PARAMS)
    faces, provenance = read_faces(FACES), read_provenance(PROVENANCE)
    check_whole(faces, provenance)
    copies = find_copies(faces.pixels, params.split.near_distance, params.split.near_correlation)
    features = describe(faces, copies, params.validate_.flat_below)
    outcomes = run(suite(params.validate_), features)
    write_json(VALIDATION, metrics(outcomes, features))
    write_text(VALIDATION_REPORT, report(outcomes, features, faces, provenance))
    hold = sum(outcome.success for outcome in outcomes)
    say(f"validate: {len(faces):,} faces, {hold} of {len(outcomes)} expectations hold; see {VALIDATION_REPORT}")
    if warnings := failed(outcomes, "warning"):
        say(f"warnings: {', '.join(outcome.name for outcome in warnings)}")
    if critical := failed(outcomes, "critical"):
        faults = "; ".join(f"{one.name}: found {one.observed}, expected {one.expected}" for one in critical)
        raise UserError(f"{FACES}: {faults}; see {VALIDATION_REPORT} and ingest better data")


if __name__ == "__main__":
    main()
