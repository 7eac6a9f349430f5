"""The summary accounts for every line, and refuses what does not add up."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import pytest

from pipeline.ingest.accounting.counters import Counts, add_counts
from pipeline.ingest.accounting.summary import IngestSummary

DAYS: dict[tuple[str, ...], int] = {("day", "719163"): 60, ("day", "719164"): 40}
GOOD: dict[tuple[str, ...], int] = {
    ("step", "parse", "received"): 110, ("step", "parse", "passed"): 100, ("step", "parse", "rejected"): 10,
    ("step", "label", "received"): 100, ("step", "label", "passed"): 100,
    ("step", "write", "received"): 100, ("step", "write", "passed"): 100,
    ("rejected", "malformed"): 10, **DAYS,
    ("examples", "train"): 50, ("examples", "validation"): 10, ("examples", "evaluation"): 40,
    ("sample_space", "train", "click"): 50, ("label_millionths", "train", "click"): 20_000_000,
    ("positives", "train", "click"): 20, ("negatives", "train", "click"): 30,
    ("table_lines", "users"): 5, ("table_rows", "users"): 5, ("unjoined", "users"): 3,
}  # fmt: skip


def _summary(tiny, **changes: Any) -> IngestSummary:
    return IngestSummary.of(Counter(GOOD), tiny.settings()).model_copy(update=changes)


def test_counts_add_up_in_any_order() -> None:
    parts: list[Counts] = [
        Counter({("day", "1"): 2}),
        Counter({("day", "1"): 3, ("examples", "train"): 1}),
        Counter(),
    ]
    assert (
        add_counts(parts) == add_counts(parts[::-1]) == {("day", "1"): 5, ("examples", "train"): 1}
    )


def test_counts_appear_by_their_names(tiny) -> None:
    summary = _summary(tiny)
    assert summary.lines == 110
    assert summary.rejected == {"malformed": 10}
    assert summary.examples == {"train": 50, "validation": 10, "evaluation": 40}
    assert summary.tasks["click"]["train"].model_dump() == {
        "examples": 50,
        "label_mean": 0.4,
        "positives": 20,
        "negatives": 30,
    }
    assert summary.tasks["watch"]["train"].model_dump() == {
        "examples": 0,
        "label_mean": None,
        "positives": None,
        "negatives": None,
    }
    assert summary.records_of_day == {datetime.date(1970, 1, 1): 60, datetime.date(1970, 1, 2): 40}
    assert summary.evaluation_days == [datetime.date(1970, 1, 2)]
    assert summary.tables["users"].examples_without_row == 3
    assert summary.rejected_share == pytest.approx(10 / 110)


def test_a_summary_survives_the_way_through_json(tiny) -> None:
    summary = _summary(tiny)
    assert IngestSummary.model_validate_json(summary.model_dump_json()) == summary


def test_a_summary_in_order_passes(tiny) -> None:
    _summary(tiny).check(tiny.settings())


def test_a_lost_line_is_noticed(tiny) -> None:
    with pytest.raises(
        ValueError,
        match="111 lines read are not 100 examples written, 10 lines rejected and 0 sampled out",
    ):
        _summary(tiny, lines=111).check(tiny.settings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {("step", "label", "received"): 99},
            "100 passed on by the step parse are not 99 received by label",
        ),
        (
            {("step", "label", "passed"): 99},
            "100 received by the step label are not 99 passed on, 0 rejected, 0 sampled out",
        ),
        (
            {("step", "write", "received"): 101},
            "100 passed on by the step label are not 101 received by write",
        ),
        (
            {("examples", "train"): 49},
            "110 lines read are not 99 examples written, 10 lines rejected and 0 sampled out",
        ),
        ({("rejected", "malformed"): 11}, "10 rejected by the steps are not 11 rejected by reason"),
        (
            {("table_rows", "users"): 4},
            "5 lines of side table users are not 4 rows, 0 of a repeated key and 0 rejected",
        ),
    ],
)
def test_a_count_that_does_not_add_up_fails_the_run(
    tiny, changes: dict[tuple[str, ...], int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        IngestSummary.of(Counter(GOOD | changes), tiny.settings()).check(tiny.settings())


def test_a_reason_may_have_a_limit_of_its_own(tiny) -> None:
    summary = _summary(tiny)
    summary.check(
        tiny.settings(logs__max_rejected_share=0.0, logs__max_rejected_share_of={"malformed": 0.1})
    )
    with pytest.raises(
        ValueError,
        match=r"10 of the log's 110 lines were rejected, 9\.1%, more than .*_of.malformed 9\.0%",
    ):
        summary.check(tiny.settings(logs__max_rejected_share_of={"malformed": 0.09}))


def _rejecting(tiny, lines: int, **rejected: int) -> IngestSummary:
    """A summary of lines that were rejected while parsing."""
    count = sum(rejected.values())
    counts: dict[tuple[str, ...], int] = {
        name: number for name, number in GOOD.items() if name[0] != "rejected"
    }
    counts |= {("step", "parse", "received"): lines, ("step", "parse", "rejected"): count}
    counts |= {("rejected", reason): number for reason, number in rejected.items()}
    return IngestSummary.of(Counter(counts), tiny.settings())


def test_too_many_rejected_lines_are_refused_with_their_reasons(tiny) -> None:
    summary = _rejecting(tiny, 112, malformed=4, wrong_type=8)
    with pytest.raises(
        ValueError,
        match=r"12 of the log's 112 lines were rejected, 10\.7%, more than .*10\.0%: wrong_type 8, malformed 4",
    ):
        summary.check(tiny.settings(logs__max_rejected_share=0.1))


def test_the_message_of_a_limit_names_the_key_that_allows_so_many(tiny) -> None:
    # 8 of 112 lines are 7.1 %, rounded up 8 %.
    summary = _rejecting(tiny, 112, malformed=4, wrong_type=8)
    allowed = r"logs\.max_rejected_share_of: \{wrong_type: 0\.08\} allows them"
    with pytest.raises(ValueError, match=allowed):
        summary.check(tiny.settings(logs__max_rejected_share=0.1))


def test_the_message_of_a_limit_names_as_many_reasons_as_it_takes(tiny) -> None:
    # 30 and 20 of 150 lines are 20 % and 13.3 %: without the former alone, 13.3 % are too many.
    summary = _rejecting(tiny, 150, malformed=20, wrong_type=30)
    settings = tiny.settings(logs__max_rejected_share=0.1)
    allowed = r"logs\.max_rejected_share_of: \{wrong_type: 0\.2, malformed: 0\.14\} allows them"
    with pytest.raises(ValueError, match=allowed):
        summary.check(settings)
    both = {"wrong_type": 0.2, "malformed": 0.14}
    summary.check(tiny.settings(logs__max_rejected_share_of=both))


def test_a_share_of_rejected_lines_at_the_limit_passes(tiny) -> None:
    _summary(tiny).check(tiny.settings(logs__max_rejected_share=10 / 110))


def test_too_many_rejected_rows_of_a_side_table_are_refused(tiny) -> None:
    summary = _summary(tiny)
    summary.tables["users"] = summary.tables["users"].model_copy(
        update={"rows": 1, "rejected": {"missing_key": 4}}
    )
    with pytest.raises(ValueError, match=r"4 of side table users's 5 lines were rejected, 80\.0%"):
        summary.check(tiny.settings())


def test_a_log_without_lines_is_refused(tiny) -> None:
    with pytest.raises(ValueError, match=r"the log \(day\*\) has no lines"):
        IngestSummary.of(Counter(), tiny.settings()).check(tiny.settings())


def test_a_log_with_too_few_days_is_refused_with_its_days(tiny) -> None:
    with pytest.raises(
        ValueError,
        match="evaluation_days is 2, but the log has only 1970-01-01, 1970-01-02 .*no day is left to train",
    ):
        _summary(tiny).check(tiny.settings(split__evaluation_days=2))


def test_an_empty_split_is_refused(tiny) -> None:
    summary = _summary(tiny, examples={"train": 60, "validation": 0, "evaluation": 40})
    with pytest.raises(
        ValueError, match=r"no examples for validation \(train 60, validation 0, evaluation 40\)"
    ):
        summary.check(tiny.settings())


def test_a_day_of_a_run_by_span_may_be_empty_or_thin(tiny) -> None:
    day = datetime.date(1970, 1, 2)
    settings = tiny.settings(day)
    empty = IngestSummary.of(Counter(), settings)
    empty.check(settings)
    assert empty.lines_of_day == {day: 0}
    thin = Counter(
        {
            ("step", "parse", "received"): 3, ("step", "parse", "passed"): 1, ("step", "parse", "rejected"): 2,
            ("step", "label", "received"): 1, ("step", "label", "passed"): 1,
            ("step", "write", "received"): 1, ("step", "write", "passed"): 1,
            ("rejected", "malformed"): 2, ("examples", "train"): 1,
        }
    )  # fmt: skip
    IngestSummary.of(thin, settings).check(settings)


def test_many_rejected_lines_of_a_full_day_stop_it(tiny) -> None:
    settings = tiny.settings(datetime.date(1970, 1, 2))
    counts = Counter(
        {
            ("step", "parse", "received"): 100, ("step", "parse", "rejected"): 100,
            ("rejected", "malformed"): 100,
        }
    )  # fmt: skip
    with pytest.raises(ValueError, match="100 of the log's 100 lines were rejected"):
        IngestSummary.of(counts, settings).check(settings)
