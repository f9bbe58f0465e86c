"""The end of a run in a few lines: how good, compared with what, and where to read on."""

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.provenance import read_provenance
from tasks.gate.verdict import read_verdict
from tasks.scoring.evaluation import read_evaluation


@command
def main() -> None:
    provenance, evaluation, verdict = (
        read_provenance(paths.PROVENANCE),
        read_evaluation(paths.EVALUATION),
        read_verdict(paths.VERDICT),
    )
    if provenance.fingerprint not in [one.sha256 for one in verdict.hashes if one.of == "data"]:
        raise UserError(f"{paths.VERDICT}: it speaks of other faces than those in {paths.DATA}/; run `dvc repro`")
    drawn = " (drawn faces: these figures say nothing of FER2013)" if provenance.synthetic else ""
    lines = {
        "data": f"{provenance.source}, {provenance.rows:,} faces{drawn}",
        "accuracy": f"{evaluation.whole.accuracy.value:.3f}",
        "macro F1": f"{evaluation.whole.macro_f1.value:.3f}",
        "verdict": verdict.verdict,
        "report": paths.REPORT,
    }
    for name, value in lines.items():
        say(f"{name:<10} {value}")


if __name__ == "__main__":
    main()
