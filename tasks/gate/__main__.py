"""Judge the candidate: `python -m tasks.gate`; as the exit status too: `python -m tasks.gate --enforce`."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from tasks.common import paths
from tasks.common.console import console, say
from tasks.common.errors import UserError, command, unusable
from tasks.common.files import sha256
from tasks.common.params import SplitParams
from tasks.common.provenance import read_provenance
from tasks.common.reading import load_params
from tasks.common.tables import read_faces, read_predictions, read_split
from tasks.gate.baselines import read_baselines
from tasks.gate.judging import Cost, Evidence, judge
from tasks.gate.matching import division
from tasks.gate.verdict import EXIT_STATUS, Hash, Outcome, Verdict, write_verdict

_STYLES: Final[dict[Outcome, str]] = {"pass": "green", "fail": "red", "inconclusive": "yellow", "warning": "yellow"}


@command
def main() -> None:
    """Judge what lies there and write the verdict; with `--enforce`, write nothing and exit as it says."""
    parser = argparse.ArgumentParser(prog="python -m tasks.gate", description=__doc__)
    meaning = ", ".join(f"{status} {verdict}" for verdict, status in EXIT_STATUS.items())
    parser.add_argument("--enforce", action="store_true", help=f"judge anew, write nothing, and exit with {meaning}")
    enforce = parser.parse_args().enforce
    params = load_params(paths.PARAMS)
    verdict = judge(read_evidence(params.split), params.gate, bins=params.evaluate.calibration_bins)
    show(verdict)
    if enforce:
        sys.exit(EXIT_STATUS[verdict.verdict])
    write_verdict(paths.VERDICT, verdict)


def read_evidence(params: SplitParams) -> Evidence:
    """Read all inputs.

    Raises:
        UserError: one of them is missing or broken.
    """
    faces, split = read_faces(paths.FACES), read_split(paths.SPLIT)
    return Evidence(
        faces=faces,
        provenance=read_provenance(paths.PROVENANCE),
        split=split,
        division=division(split, params),
        predictions=read_predictions(paths.PREDICTIONS),
        cost=read_cost(paths.EVALUATION),
        baselines=read_baselines(paths.BASELINES),
        hashes=(
            Hash(of="model", sha256=_hash(paths.MODEL)),
            Hash(of="predictions", sha256=_hash(paths.PREDICTIONS)),
            Hash(of="data", sha256=faces.fingerprint()),
            Hash(of="split", sha256=_hash(paths.SPLIT)),
        ),
    )


def read_cost(path: Path) -> Cost:
    """Read what the evaluation measured of the network's cost; what it lacks is None, and fails its check."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        content = None
    except OSError as error:
        raise UserError(unusable(error)) from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); run `dvc repro evaluate`") from error
    cost = content.get("cost") if isinstance(content, dict) else None
    figures = cost if isinstance(cost, dict) else {}
    return Cost(_number(figures.get("model_bytes")), _number(figures.get("ms_per_face")))


def show(verdict: Verdict) -> None:
    """Print the checks as a table, then the verdict and its reasons."""
    table = Table(box=None, pad_edge=False)
    for heading in ("check", "outcome", "figure", "threshold"):
        table.add_column(heading, justify="left" if heading in ("check", "outcome") else "right")
    for check in verdict.checks:
        style = _STYLES.get(check.outcome, "dim")
        table.add_row(check.name, f"[{style}]{check.outcome}[/]", _said(check.figure), _said(check.threshold))
    console.print(table)
    against = f" (against {verdict.baseline_name})" if verdict.baseline_name else ""
    say(f"verdict: {verdict.verdict}{against}")
    for reason in verdict.reasons:
        say(f"- {reason}")


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run `dvc repro`") from error
    except OSError as error:
        raise UserError(unusable(error)) from error


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return float(value) if usable else None


def _said(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3g}"


if __name__ == "__main__":
    main()
