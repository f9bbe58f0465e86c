"""The suite: what is expected of the data, checked by Great Expectations in memory, each outcome in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Final, Literal

import tasks.validate.lean  # noqa: F401 - before Great Expectations

# isort: split
import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column

from model.labels import LABELS
from tasks.common.params import Severity, Threshold, Validate
from tasks.common.tables import USAGES
from tasks.validate.features import Features

Frame = Literal["faces", "parts", "whole"]

ENTRY: Final[dict[Frame, list[str]]] = {"faces": ["row"], "parts": ["usage", "label"], "whole": []}
"""The columns by which an entry of each frame of `Features` is known."""

EXAMPLES: Final = 5
"""Most offending entries named in an outcome."""


@dataclass(frozen=True)
class Check:
    """One expectation, what it says in words, and the frame that it is about."""

    name: str
    severity: Severity
    expected: str
    expectation: gxe.Expectation
    frame: Frame


@dataclass(frozen=True)
class Outcome:
    """What came of one check, in words."""

    name: str
    severity: Severity
    success: bool
    expected: str
    observed: str


def suite(params: Validate) -> list[Check]:
    """Return every check, with the thresholds of `params`."""
    return [*_table(params), *_pixels(params), *_copies(params), *_classes(params)]


def run(checks: list[Check], features: Features) -> list[Outcome]:
    """Return the outcome of each check; one that could not be evaluated has failed, and says why."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("data")
    found: dict[str, Any] = {}
    for frame, entry in ENTRY.items():
        batch = source.add_dataframe_asset(frame).add_batch_definition_whole_dataframe(frame)
        results = batch.get_batch({"dataframe": getattr(features, frame)}).validate(
            gx.ExpectationSuite(frame, expectations=[check.expectation for check in checks if check.frame == frame]),
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": EXAMPLES,
                "unexpected_index_column_names": entry,
            },
        )
        # They come in an order of Great Expectations' own.
        found |= {_name(result): result for result in results.results}
    return [_outcome(check, found[check.name]) for check in checks]


def _name(result: Any) -> str:
    return result.expectation_config.meta["name"]


def _outcome(check: Check, result: Any) -> Outcome:
    seen = result.result
    if "observed_value" in seen:
        observed = _value(seen["observed_value"])
    elif "element_count" in seen:
        observed = _counted(seen, ENTRY[check.frame])
    else:
        observed = f"could not be evaluated: {next(iter(result.exception_info.values()))['exception_message']}"
    return Outcome(check.name, check.severity, bool(result.success), check.expected, observed)


def _counted(seen: dict[str, Any], entry: list[str]) -> str:
    """Say how many entries fell out, and which came first."""
    total, count = seen["element_count"], seen["unexpected_count"]
    if not count:
        return f"no exception among {total:,}"
    examples = []
    for item in seen["partial_unexpected_index_list"]:
        figures = [v for name, v in item.items() if name not in entry and not isinstance(v, bool | np.bool)]
        examples.append(
            " ".join([*(str(item[name]) for name in entry), *(f"({_value(figure)})" for figure in figures)])
        )
    more = ", …" if count > len(examples) else ""
    return f"{count:,} of {total:,} ({_percent(count / total)}): {' '.join(entry)} {', '.join(examples)}{more}"


def _value(value: Any) -> str:
    return f"{value:,}" if isinstance(value, Integral) else f"{value:.4g}" if isinstance(value, Real) else str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _check(
    name: str, severity: Severity, expected: str, kind: type[gxe.Expectation], frame: Frame = "faces", **arguments: Any
) -> Check:
    return Check(
        name, severity, expected, kind(severity=FailureSeverity(severity), meta={"name": name}, **arguments), frame
    )


def _table(params: Validate) -> Iterator[Check]:
    for column, dtype in (("row", "int32"), ("emotion", "int8"), ("usage", "str")):
        yield _check(
            f"{column}_type",
            "critical",
            f"a column {column} of type {dtype}",
            gxe.ExpectColumnValuesToBeOfType,
            column=column,
            type_=dtype,
        )
    yield _check(
        "row_count",
        "critical",
        f"at least {params.min_rows:,} faces (validate.min_rows)",
        gxe.ExpectTableRowCountToBeBetween,
        min_value=params.min_rows,
    )
    yield _check(
        "rows_ascending",
        "critical",
        "every row number is above the one before it, so that none is there twice",
        gxe.ExpectColumnValuesToBeIncreasing,
        column="row",
        strictly=True,
    )
    yield _check("usage_given", "critical", "every face has a Usage", gxe.ExpectColumnValuesToNotBeNull, column="usage")
    for column, values in (("emotion", list(range(len(LABELS)))), ("usage", list(USAGES))):
        yield _check(
            f"{column}_known",
            "critical",
            f"every {column} is one of {', '.join(map(str, values))}",
            gxe.ExpectColumnValuesToBeInSet,
            column=column,
            value_set=values,
        )


def _pixels(params: Validate) -> Iterator[Check]:
    side = params.face_size
    yield _check(
        "face_bytes",
        "critical",
        f"every face has {side} x {side} = {side * side:,} bytes (validate.face_size)",
        gxe.ExpectColumnValuesToBeInSet,
        column="pixel_bytes",
        value_set=[side * side],
    )
    yield _within(params, "pixel_mean", "mean grey level")
    yield _within(params, "pixel_std", "standard deviation of the grey levels")
    yield _few(params, "flat_faces", "flat", f"faces are flat: they deviate by less than {params.flat_below}")


def _copies(params: Validate) -> Iterator[Check]:
    yield _few(params, "exact_copies", "copied", "faces have the pixels of an earlier face")
    yield _few(params, "conflicting_copies", "conflicting", "faces have the pixels of a face of another label")
    yield _few(params, "near_copies", "near", "faces have a near copy: the same picture, slightly changed")
    yield _few(
        params,
        "leaked_faces",
        "leaked",
        "faces of PublicTest and PrivateTest have the pixels of a Training face",
        row_condition=Column("usage") != "Training",
    )


def _classes(params: Validate) -> Iterator[Check]:
    yield _check(
        "class_counts",
        "critical",
        f"every Usage part has at least {params.min_class_faces:,} of each label (validate.min_class_faces)",
        gxe.ExpectColumnValuesToBeBetween,
        frame="parts",
        column="count",
        min_value=params.min_class_faces,
    )
    yield _check(
        "class_drift",
        _severity(params, "class_drift"),
        f"class shares at most {params.class_drift:g} from FER2013's (total variation)",
        gxe.ExpectColumnMaxToBeBetween,
        frame="whole",
        column="class_drift",
        max_value=params.class_drift,
    )


def _within(params: Validate, column: Threshold, what: str) -> Check:
    """Expect a figure of all but a share of the faces to lie in its range."""
    low, high = getattr(params, column)
    return _check(
        column,
        _severity(params, column),
        f"at most {_percent(params.outside)} of the faces have a {what} outside {low:g} to {high:g}",
        gxe.ExpectColumnValuesToBeBetween,
        column=column,
        min_value=low,
        max_value=high,
        mostly=_rest(params.outside),
    )


def _few(params: Validate, name: Threshold, trait: str, what: str, **condition: Any) -> Check:
    """Expect at most a share of the faces to have a trait, a bool column."""
    at_most = getattr(params, name)
    return _check(
        name,
        _severity(params, name),
        f"at most {_percent(at_most)} of the {what}",
        gxe.ExpectColumnValuesToBeInSet,
        column=trait,
        value_set=[False],
        mostly=_rest(at_most),
        **condition,
    )


def _severity(params: Validate, name: Threshold) -> Severity:
    return "critical" if name in params.critical else "warning"


def _rest(share: float) -> float:
    """Return the share that must hold; rounded, for 1 - 0.1 - 0.2 is not 0.7 in binary."""
    return round(1 - share, 12)
