"""The end of a run in a few lines: how good, compared with what, and where to read on."""

import json

from rich.table import Table

from tasks import paths
from tasks.console import console
from tasks.errors import UserError, command
from tasks.provenance import read_provenance


@command
def main() -> None:
    try:
        scores, verdict = (json.loads(path.read_text()) for path in (paths.SCORES, paths.VERDICT))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; run `dvc repro`") from error
    provenance = read_provenance(paths.PROVENANCE)
    drawn = " (drawn faces: these figures say nothing of FER2013)" if provenance.synthetic else ""
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("data", f"{provenance.source}, {provenance.rows:,} faces{drawn}")
    table.add_row("accuracy", f"{scores['accuracy']:.3f}")
    table.add_row("macro F1", f"{scores['macro_f1']:.3f}")
    table.add_row("verdict", f"[bold]{verdict['verdict']}[/]")
    table.add_row("report", str(paths.REPORT))
    console.print(table)


if __name__ == "__main__":
    main()
