"""Labels and sample spaces follow from the columns of an exposure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.record_batch import RecordRows
from pipeline.ingest.labelling.labels import label_reader
from pipeline.ingest.settings.ingest_config import IngestedTask


def _label(
    record: dict[str, Any],
    label: dict[str, Any],
    kind: str = "binary",
    sample_space: dict[str, Any] | None = None,
) -> float | None:
    """The label of one record; raises what makes it unusable."""
    task = pydantic.TypeAdapter(IngestedTask).validate_python(
        {"kind": kind, "label": label, "sample_space": sample_space}
    )
    problems: dict[int, UnusableLineError] = {}
    [label] = label_reader(task, frozenset({""}))(RecordRows([record]), problems)
    if problems:
        raise problems[0]
    return None if np.isnan(label) else float(label)


EVENT = {"rule": "event", "column": "clicked"}
AT_LEAST = {"rule": "at_least", "column": "play_s", "threshold": 5.0}
RATIO = {"rule": "ratio", "numerator": "play_s", "denominator": "duration_s", "clip": 1.0}
COLUMN = {"rule": "column", "column": "rating"}


@pytest.mark.parametrize(
    ("record", "label"),
    [({"clicked": 1}, 1.0), ({"clicked": "0"}, 0.0), ({}, 0.0), ({"clicked": ""}, 0.0)],
)
def test_an_event_that_is_missing_did_not_happen(record: dict[str, Any], label: float) -> None:
    assert _label(record, EVENT) == label


def test_an_event_may_be_a_text_of_a_column() -> None:
    rule = {"rule": "event", "column": "income", "equals": ["50000+.", "50000+"]}
    assert _label({"income": "50000+."}, rule) == 1.0
    assert _label({"income": "- 50000."}, rule) == 0.0


@pytest.mark.parametrize(("play_s", "label"), [(5, 1.0), (4.999, 0.0), (None, None)])
def test_at_least_includes_its_threshold_and_leaves_out_the_missing(
    play_s: float | None, label: float | None
) -> None:
    assert _label({"play_s": play_s}, AT_LEAST) == label


@pytest.mark.parametrize(
    ("play_s", "duration_s", "label"),
    [
        (3, 12, 0.25),
        (0, 12, 0.0),
        (20, 12, 1.0),  # clipped
        (3, 0, None),
        (0, 0, None),
        (3, None, None),
        (None, 12, None),
        (3, 1e-308, 1.0),  # beyond the largest float before the clip
    ],
)
def test_a_ratio_is_clipped_and_needs_both_parts(
    play_s: float | None, duration_s: float | None, label: float | None
) -> None:
    assert _label({"play_s": play_s, "duration_s": duration_s}, RATIO, kind="regression") == label


@pytest.mark.parametrize(
    "record", [{"play_s": -1, "duration_s": 2}, {"play_s": 1, "duration_s": -2}, {"play_s": -1}]
)
def test_a_negative_part_of_a_ratio_is_out_of_range(record: dict[str, Any]) -> None:
    with pytest.raises(UnusableLineError, match="should be at least 0") as raised:
        _label(record, RATIO, kind="regression")
    assert raised.value.reason == Reason.OUT_OF_RANGE


def test_a_column_is_taken_as_it_is() -> None:
    assert _label({"rating": "-3.5"}, COLUMN, kind="regression") == -3.5
    assert _label({}, COLUMN, kind="regression") is None


def test_a_binary_column_lies_between_0_and_1() -> None:
    assert _label({"rating": 1}, COLUMN) == 1.0
    with pytest.raises(UnusableLineError, match="rating: should be at most 1; received 2"):
        _label({"rating": 2}, COLUMN)


@pytest.mark.parametrize(("played", "label"), [(1, 1.0), (0, None), (None, None)])
def test_outside_the_sample_space_there_is_no_label(
    played: int | None, label: float | None
) -> None:
    assert (
        _label({"clicked": 1, "played": played}, EVENT, sample_space={"event": "played"}) == label
    )


def test_a_sample_space_may_be_a_text_of_a_column() -> None:
    space = {"event": "scenario", "equals": ["click"]}
    assert _label({"clicked": 0, "scenario": "click"}, EVENT, sample_space=space) == 0.0
    assert _label({"clicked": 0, "scenario": "auto_play"}, EVENT, sample_space=space) is None


def test_an_unreadable_label_is_refused_even_outside_the_sample_space() -> None:
    with pytest.raises(
        UnusableLineError, match="clicked: a flag or a count is needed; received 'maybe'"
    ):
        _label({"clicked": "maybe", "played": 0}, EVENT, sample_space={"event": "played"})


def test_a_task_that_is_given_another_has_a_label_where_that_has_1(tiny) -> None:
    bought = {"kind": "binary", "given": "click", "label": {"rule": "event", "column": "bought"}}
    task = tiny.settings(tasks__buy=bought | {"metric": "auc"}).tasks["buy"]
    assert task.columns == {"label.column": "bought", "given.0.label.column": "clicked"}
    rows = [{"clicked": c, "bought": b} for c, b in ((0, 1), (1, 0), (1, 1), (None, 1))]
    labels = label_reader(task, frozenset({""}))(RecordRows(rows), {})
    assert np.array_equal(labels, [np.nan, 0.0, 1.0, np.nan], equal_nan=True)
