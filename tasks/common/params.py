"""The one typed description of `params.yaml`: every knob of a run, its type and its range.

`main()` of a step reads the whole file once and hands each function the section that it needs.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Severity = Literal["critical", "warning"]
Threshold = Literal[
    "pixel_mean",
    "pixel_std",
    "flat_faces",
    "exact_copies",
    "conflicting_copies",
    "near_copies",
    "leaked_faces",
    "class_drift",
]
"""Checks that only warn, unless `validate.critical` names them."""


def _in_order(ends: list[float]) -> list[float]:
    if ends[0] > ends[1]:
        raise ValueError("the least is above the most")
    return ends


Grey = Annotated[float, Field(ge=0, le=255)]
Range = Annotated[list[Grey], Field(min_length=2, max_length=2), AfterValidator(_in_order)]


class Section(BaseModel):
    """A frozen part of `params.yaml`: no unknown name, no missing one, no value read as another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Validate(Section):
    """Thresholds of the data checks; what a near copy is, the section `split` says."""

    min_rows: Positive
    """Fewest faces that make a data set."""
    face_size: Positive
    """Side of a face in pixels, of one byte each."""
    min_class_faces: Annotated[int, Field(ge=0)]
    """Fewest faces of each label in each Usage part that the data has; 0 for data sets that lack a label."""
    pixel_mean: Range
    """Least and most brightness of a face, in grey levels."""
    pixel_std: Range
    """Least and most contrast of a face: the standard deviation of its grey levels."""
    outside: Share
    """Most faces outside of either range, of all faces."""
    flat_below: Annotated[float, Field(ge=0, le=128)]
    """A face with less contrast than this shows nothing."""
    flat_faces: Share
    """Most flat faces, of all faces."""
    exact_copies: Share
    """Most faces with the pixels of an earlier face, of all faces."""
    conflicting_copies: Share
    """Most faces with the pixels of a face of another label, of all faces."""
    near_copies: Share
    """Most faces with a near copy, of all faces."""
    leaked_faces: Share
    """Most PublicTest and PrivateTest faces with the pixels of a Training face, of all such faces."""
    class_drift: Share
    """Total variation: share of the faces that would need another label to match FER2013's class shares."""
    critical: list[Threshold]
    """Which of these stop the pipeline where they are not kept, beside the first three; the others warn."""


class SplitParams(Section):
    """Who trains, who validates, who tests."""

    strategy: Literal["official", "random", "stratified"]
    """`official` is FER2013's Usage; `random` the capstone's 80/10/10; `stratified` the same by label."""
    seed: Seed
    test_share: Annotated[float, Field(gt=0, lt=1)]
    """Of all faces; for `random` and `stratified`."""
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    """Of the faces that the test subset left; for `official` only where the data has no PublicTest."""
    leaks: Literal["keep", "drop_from_train", "group"]
    """What becomes of copies of validation and test faces; `group` is for the seeded strategies."""
    by_subject: bool
    """Where the data says who is seen, a subject's faces go together; parts that the data gives stay as given."""
    near_distance: Annotated[int, Field(ge=0, le=10)]
    """Most bits in which the 64-bit perceptual hashes of two near copies differ: always an even number."""
    near_correlation: Annotated[float, Field(gt=0, le=1)]
    """Least correlation of the pixels of two near copies."""


class Model(Section):
    """The network; null stands for the network's own value."""

    name: Literal["compact", "capstone", "vgg"]
    """A name of `model.networks.NETWORKS`."""
    filters: Annotated[list[Positive], Field(min_length=1)] | None
    """Filters of each convolution (`capstone`) or stage (`compact`, `vgg`)."""
    kernel_sizes: Annotated[list[Positive], Field(min_length=1)] | None
    """Kernel size of each convolution (`capstone`) or stage (`compact`, `vgg`)."""
    blocks: Annotated[list[Positive], Field(min_length=1)] | None
    """Residual blocks (`compact`) or convolutions (`vgg`) of each stage."""
    activation: Literal["relu", "gelu", "silu"] | None
    """After each convolution; all networks have `relu` of their own."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None
    l2: Annotated[float, Field(ge=0)]
    """Factor of the squared kernels in the loss."""


class EarlyStopping(Section):
    """When to stop before the last epoch."""

    monitor: Literal["val_loss", "val_accuracy"]
    """Also what chooses the weights that are kept."""
    patience: Annotated[int, Field(ge=0)]
    """Epochs without a better value before training stops; 0 never stops early."""


class Train(Section):
    """How the network learns; `focal_gamma` and `dice_smooth` belong to one loss each, label smoothing to all."""

    seed: Seed
    epochs: Positive
    start_side: Annotated[int, Field(ge=16)] | None
    """Height and width of the faces in the first epoch, in pixels; null leaves them whole all along."""
    growth: Share
    """Share of the epochs after which they are whole; in the last one they are so in any case (Tan & Le 2021)."""
    batch_size: Annotated[int, Field(ge=2)]
    ghost_batch: Annotated[int, Field(ge=2)] | None
    """Splits each batch into equal parts of at least so many faces; batch normalization uses each part's own mean and
    variance (Hoffer et al. 2017). null, or more than a batch has: one part. An epoch's last batch, which has fewer
    faces, has as many parts. On a CPU with as many cores, each computes one. Several GPUs normalize each its own share
    in any case."""
    steps_per_execution: Positive
    """Batches in one call of the compiled step, as Keras has it: what is said and checked in between comes once a call.
    The weights are the same; on a GPU it spares time where a step takes a few milliseconds. PyTorch has 1 alone."""
    optimizer: Literal["adam", "adamw", "sgd", "momentum", "nesterov", "muon"]
    learning_rate: Annotated[float, Field(gt=0)]
    """The highest rate of the schedule."""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """Of `momentum`, `nesterov` and `muon`."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Decoupled, of every optimizer, so that `adam` and `adamw` are one; biases and batch normalization are spared."""
    schedule: Literal["constant", "cosine", "one_cycle"]
    warmup: Share
    """Share of all steps in which the rate rises; for `cosine` and `one_cycle`."""
    ema: Annotated[float, Field(ge=0, lt=1)]
    """Decay a step of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    loss: Literal["crossentropy", "dice", "focal"]
    focal_gamma: Annotated[float, Field(ge=0)]
    dice_smooth: Annotated[float, Field(gt=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Literal["none", "balanced", "effective"]
    class_beta: Annotated[float, Field(ge=0, lt=1)]
    """Of `effective`: 0 weighs all labels alike, almost 1 by the inverse of their faces (Cui et al. 2019)."""
    vote_share: Share
    """Of FER+'s crowd votes in a face's target; the rest is its label, as all is where a face has no votes."""
    vote_weight: Annotated[float, Field(ge=0)]
    """Of the loss of a second output, which learns the crowd's votes where the data has any; 0 has no such output."""
    teacher_share: Share
    """Of what trained networks say of a face (`python -m tasks.teach`) in its target; the rest is as without them."""
    early_stopping: EarlyStopping
    deterministic: bool
    """Two runs on one machine give the same weights."""
    device: Literal["auto", "cpu", "gpu"]
    mixed_precision: bool
    """Half precision where the device computes in it: float16 on a GPU, bfloat16 on CPUs that have it."""
    canary: bool
    """Overfit one batch first, and stop where that fails."""


class Augment(Section):
    """How a training face is changed before each look at it."""

    flip: bool
    shift: Annotated[float, Field(ge=0, le=0.5)]
    """Most, as a share of the side, both ways."""
    rotation: Annotated[float, Field(ge=0, le=180)]
    """Most, in degrees, both ways."""
    zoom: Annotated[float, Field(ge=0, lt=1)]
    """Most, as a share, in and out."""
    erasing: Share
    """Chance that a rectangle of the face is replaced by noise (Zhong et al. 2017)."""
    erasing_area: Annotated[float, Field(gt=0, le=0.5)]
    """Largest rectangle, as a share of the face; the smallest is 0.02, or this where it is less."""
    mixup: Annotated[float, Field(ge=0, le=10)]
    """Alpha of the Beta distribution that gives a face's share in its mixture; 0 mixes none (Zhang et al. 2018)."""


class Evaluate(Section):
    """How the test subset is scored."""

    flip: bool
    """Average the probabilities of each face and its mirror image."""
    turn: Annotated[float, Field(ge=0, le=45)]
    """Average over the face as it is and turned by so many degrees either way; 0 does not turn it."""
    ten_crop: bool
    """Average over four corners and the middle, each mirrored too."""
    batch_size: Positive
    seed: Seed
    """Of the bootstrap."""
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    """Bootstrap draws behind each interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    """Share of the draws that an interval covers."""
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    """Equal-width bins of confidence for the expected calibration error and the reliability diagram."""
    mistakes: Annotated[int, Field(ge=0, le=200)]
    """Most confident mistakes that the report shows as faces."""
    timing_repeats: Annotated[int, Field(ge=1, le=10_000)]
    """Forward passes of one face whose median time is the latency."""


class Gate(Section):
    """What a candidate must show to be promoted; a threshold of null is none, and then nothing is promoted."""

    seed: Seed
    """Of the bootstrap."""
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    """Bootstrap draws behind each interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    """Share of the draws that an interval covers; McNemar's p must be at most the rest."""
    min_accuracy: Share | None
    """Accuracy must lie above this."""
    min_above_majority: Share | None
    """Accuracy must lie so far above that of always saying the training subset's most frequent label."""
    min_above_ridge: Share | None
    """Accuracy must lie so far above that of a ridge classifier on the pixels, fitted to the training subset."""
    ridge_alpha: Annotated[float, Field(gt=0)]
    """Its penalty, for pixels scaled to 0..1."""
    ridge_faces: Positive
    """Most training faces that it is fitted to."""
    min_gain: Share | None
    """The whole interval of the gain in accuracy over the baseline must lie above this."""
    max_macro_f1_loss: Share | None
    """The whole interval of the gain in macro F1 must lie above this loss."""
    max_label_loss: Share | None
    """Most recall that a label may lose to the baseline, where its F1 falls too and the loss is beyond chance."""
    harm_level: Annotated[float, Field(gt=0, le=0.5)]
    """Level at which a label's loss is beyond chance, Holm-corrected over the labels."""
    min_support: Positive
    """Fewest test faces of a label that can be harmed; rarer ones are reported alone."""
    max_ece: Share | None
    """Most expected calibration error, over `evaluate.calibration_bins`."""
    max_megabytes: Annotated[float, Field(gt=0)] | None
    """Largest model file."""
    max_ms_per_face: Annotated[float, Field(gt=0)] | None
    """Longest median time of one face alone."""


class Params(Section):
    """All of `params.yaml`."""

    validate_: Annotated[Validate, Field(alias="validate")]
    split: SplitParams
    model: Model
    train: Train
    augment: Augment
    evaluate: Evaluate
    gate: Gate
