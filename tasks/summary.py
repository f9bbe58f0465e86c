"""The end of a run in a few lines: how good, compared with what, and where to read on."""

import json

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.provenance import read_provenance


@command
def main() -> None:
    try:
        scores, verdict = (json.loads(path.read_bytes()) for path in (paths.SCORES, paths.VERDICT))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; run `dvc repro`") from error
    provenance = read_provenance(paths.PROVENANCE)
    drawn = " (drawn faces: these figures say nothing of FER2013)" if provenance.synthetic else ""
    lines = {
        "data": f"{provenance.source}, {provenance.rows:,} faces{drawn}",
        "accuracy": f"{scores['accuracy']:.3f}",
        "macro F1": f"{scores['macro_f1']:.3f}",
        "verdict": verdict["verdict"],
        "report": paths.REPORT,
    }
    for name, value in lines.items():
        say(f"{name:<10} {value}")


if __name__ == "__main__":
    main()
