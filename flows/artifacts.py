"""What a person wants to see of a run in Prefect's pages: figures, pictures, the verdict, where the reports lie."""

import base64
import json
import shlex
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.experiment import GIT_REMOTE, dvc_remote, origin
from flows.server import patiently
from flows.workspace import prepared
from tasks.common import paths
from tasks.gate.verdict import Verdict, read_verdict
from tasks.scoring.evaluation import Evaluation, read_evaluation
from tasks.scoring.scores import HEADLINES

PICTURES: Final = {
    "confusion": "Of the faces that bear a label (a row), how many were given each label.",
    "curves": "Loss and accuracy of training and validation by epoch.",
    "reliability": "Accuracy against confidence.",
}
"""Files `reports/figures/NAME.svg`, and what they show."""


def show_run(root: Path, name: str) -> None:
    """Create all artifacts of a run that reached its verdict."""
    evaluation, verdict = read_evaluation(root / paths.EVALUATION), read_verdict(root / paths.VERDICT)
    baseline = _baseline(root, verdict.baseline_name)
    drawn = " Drawn faces: the figures say nothing of FER2013." if evaluation.synthetic else ""
    patiently(
        lambda: create_table_artifact(
            scores_table(evaluation, baseline), key="scores", description=f"Scores of {name} on the test faces.{drawn}"
        )
    )
    patiently(
        lambda: create_table_artifact(
            label_table(evaluation), key="classification-report", description=f"Each label in {name}.{drawn}"
        )
    )
    patiently(
        lambda: create_markdown_artifact(verdict_page(verdict), key="verdict", description=f"The verdict on {name}")
    )
    for picture, caption in PICTURES.items():
        _show_picture(root / paths.FIGURES / f"{picture}.svg", picture, caption)
    page = reports_page(name, origin(root) if dvc_remote(root) else None)
    patiently(lambda: create_markdown_artifact(page, key="reports", description=f"Where the reports of {name} are"))
    if not prepared(root):  # such a clone is gone after its run
        for report in (paths.REPORT, paths.VALIDATION_REPORT):
            _show_link(root / report)


def _baseline(root: Path, name: str | None) -> dict[str, Any]:
    return json.loads((root / paths.BASELINES / f"{name}.json").read_text(encoding="utf-8")) if name else {}


def scores_table(evaluation: Evaluation, baseline: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each headline figure: of all test faces, of those without a copy in training, the baseline's."""
    rows = []
    for name in HEADLINES:
        row: dict[str, Any] = {"figure": name, "all test faces": str(getattr(evaluation.whole, name))}
        clean = evaluation.without_leaks
        row["without a copy in training"] = str(getattr(clean, name)) if clean else "–"
        if baseline:
            figure = baseline["figures"].get(name)
            row[f"baseline {baseline['name']}"] = "–" if figure is None else f"{figure:.3f}"
        rows.append(row)
    return rows


def label_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row for each label, and the averages, as scikit-learn's classification report has them."""
    whole = evaluation.whole
    return [
        {
            "label": row.name,
            "precision": f"{row.precision:.3f}",
            "recall": f"{row.recall:.3f}",
            "F1": f"{row.f1:.3f}",
            "support": row.support,
        }
        for row in (*whole.labels, whole.macro, whole.weighted)
    ]


def verdict_page(verdict: Verdict) -> str:
    """Return the verdict, its reasons and its checks as Markdown."""
    against = f" (against {verdict.baseline_name})" if verdict.baseline_name else ""
    lines = [f"# {verdict.verdict}{against}", "", *(f"- {reason}" for reason in verdict.reasons), ""]
    lines += ["| check | outcome | figure | threshold |", "| --- | --- | ---: | ---: |"]
    for check in verdict.checks:
        figures = ("" if figure is None else f"{figure:.3g}" for figure in (check.figure, check.threshold))
        lines.append(f"| {check.name} | {check.outcome} | {' | '.join(figures)} |")
    return "\n".join(lines)


def reports_page(name: str, address: str | None) -> str:
    """Return, as Markdown, the commands that bring the reports of an experiment to any machine.

    Args:
        name: of the experiment.
        address: of the git repository that has it, where its outputs are in a DVC remote; None where they stay here.
    """
    if not address:
        return (
            f"The reports of **{name}** stay on the machine that made them: its checkout, or its DVC cache. With a git "
            "remote `origin` and a DVC remote (`docs/gpu-machine.md`), each run brings them there, and this page says "
            "how to get them anywhere."
        )
    get = [f"dvc get {shlex.quote(address)} {path} --rev {name}" for path in (paths.REPORT, paths.VALIDATION_REPORT)]
    return "\n".join(
        [
            f"The reports of **{name}**, on any machine that has DVC and may read both remotes:",
            *("", "```console", *get, "```", ""),
            "The whole run, with network and figures, in a clone of the repository:",
            *("", "```console", f"dvc exp pull {GIT_REMOTE} {name}", f"dvc exp apply {name}", "```"),
        ]
    )


def _show_picture(path: Path, key: str, caption: str) -> None:
    if not path.exists():
        return
    uri = "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    patiently(lambda: create_image_artifact(uri, key=key, description=caption))


def _show_link(path: Path) -> None:
    address = "file://" + quote(str(path.resolve()))
    where = f"For a browser on the machine that made it, pasted into its address bar: {address}"
    patiently(lambda: create_link_artifact(address, link_text=path.name, key=f"{path.stem}-page", description=where))
