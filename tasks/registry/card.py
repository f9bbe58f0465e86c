"""The model card of a version (Mitchell et al. 2019, "Model Cards for Model Reporting")."""

from dataclasses import dataclass

from tasks.common.provenance import Provenance
from tasks.gate.verdict import Verdict
from tasks.scoring.evaluation import Evaluation
from tasks.scoring.scores import HEADLINES, NAMES, Estimate, Scores

SYNTHETIC = (
    "> **Trained on drawn faces.** Its figures say nothing of FER2013 or of people, and it is of no use but to try the "
    "pipeline."
)


@dataclass(frozen=True)
class Setting:
    """On what the network was measured.

    Attributes:
        subsets: how the faces were split, in a sentence.
        views: which of each test face the evaluation averages, in a sentence.
        side: height and width of the faces, in pixels.
    """

    subsets: str
    views: str
    side: int


@dataclass(frozen=True)
class Served:
    """What becomes of the network where it is served.

    Attributes:
        accuracy: of the test faces, 0 to 1, each seen once, as it is, in float32.
        quick_accuracy: the same in 8-bit integers; None where there is no such version.
        quick: what becomes of it in 8-bit integers, in a sentence.
    """

    accuracy: float
    quick_accuracy: float | None
    quick: str

    def __str__(self) -> str:
        """Say how well it does."""
        quick = "" if self.quick_accuracy is None else f" in float32, and {self.quick_accuracy:.3f} in 8-bit integers"
        return f"Served, it sees a face once: so its accuracy on all test faces is {self.accuracy:.3f}{quick}."


def model_card(
    version: str,
    evaluation: Evaluation,
    verdict: Verdict,
    provenance: Provenance,
    setting: Setting,
    served: Served,
) -> str:
    """Return the card as Markdown.

    Args:
        version: name of the version.
        evaluation: of the test faces.
        verdict: of the gate.
        provenance: of the data.
        setting: of the evaluation.
        served: what becomes of the network then.
    """
    parts = [
        f"# Model card: {version}",
        *([SYNTHETIC] if evaluation.synthetic else []),
        _details(evaluation, setting.side, served.quick),
        _use(),
        _data(evaluation, provenance, setting.subsets),
        _figures(evaluation, setting.views, served),
        _verdict(verdict),
        _limits(),
    ]
    return "\n\n".join(parts) + "\n"


def _details(evaluation: Evaluation, side: int, quick: str) -> str:
    cost = evaluation.cost
    return (
        "## The model\n\n"
        f"A convolutional network of {cost.parameters:,} parameters. It takes grey faces of {side} × {side} pixels "
        "(uint8, as cut out by a face detector) and gives a probability for each of *angry, disgust, fear, happy, sad, "
        "surprise, neutral*. `model.keras` is the network, `model.onnx` the same for ONNX Runtime; `params.yaml` has "
        f"every knob of its training. It is {cost.model_bytes / 1e6:.1f} MB, and took {cost.ms_per_face:.1f} ms a face "
        f"where it was evaluated. {quick}"
    )


def _use() -> str:
    return (
        "## What it is for\n\n"
        "Toys, companions and studies that react to the look of a face, with the person's knowledge. It is **not** "
        "for decisions about people: hiring, schooling, policing, health, credit. **What it gives is a guess at how a "
        "face looks to others, not at what somebody feels**: feelings can't be read off a face with certainty."
    )


def _data(evaluation: Evaluation, provenance: Provenance, subsets: str) -> str:
    labels = ", ".join(f"{name} {count:,}" for name, count in provenance.labels.items())
    leaks = evaluation.leaks
    return (
        "## Data\n\n"
        f"{provenance.source}: {provenance.rows:,} faces ({labels}). {subsets} Of the {evaluation.whole.faces:,} test "
        f"faces, {leaks['exact'].faces:,} have an exact copy in training and {leaks['near'].faces:,} a near one: the "
        "right-hand column leaves them out."
    )


def _figures(evaluation: Evaluation, views: str, served: Served) -> str:
    whole, clean = evaluation.whole, evaluation.without_leaks
    rows = [f"| {NAMES[name]} | {_estimate(whole, name)} | {_estimate(clean, name)} |" for name in HEADLINES]
    labels = [
        f"| {row.name} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | {row.support:,} |"
        for row in whole.labels
    ]
    return "\n".join(
        [
            "## Figures",
            "",
            f"| | all {whole.faces:,} test faces | without a copy in training |",
            "| --- | --- | --- |",
            *rows,
            "",
            "↓: lower is better. In brackets, the middle of bootstrap draws of the test faces; they don't cover what "
            f"another training run would give. {views} {served}",
            "",
            "| label | precision | recall | F1 | faces |",
            "| --- | --- | --- | --- | --- |",
            *labels,
        ]
    )


def _estimate(scores: Scores | None, name: str) -> str:
    if scores is None:
        return "–"
    estimate: Estimate = getattr(scores, name)
    return str(estimate)


def _verdict(verdict: Verdict) -> str:
    reasons = "\n".join(f"- {reason}" for reason in verdict.reasons)
    return f"## Verdict\n\n*{verdict.verdict}*, held against {verdict.baseline_name or 'no baseline'}:\n\n{reasons}"


def _limits() -> str:
    return (
        "## Limits\n\n"
        "- The first choice of ten people is FER2013's label for 64 of 100 faces; so the labels are no truth, and a "
        "score far above that says how the labels were given.\n"
        "- FER2013's faces were found by a web search for words of feeling: posed pictures, actors, stock photographs. "
        "Age, sex and origin are not noted, so that nobody knows how scores differ among people; expect them to.\n"
        "- Rare labels (disgust above all) rest on few faces.\n"
        "- Faces from the side, in poor light, small, or partly hidden are outside of what was measured."
    )
