"""What became of every line of several days."""

from __future__ import annotations

import datetime

from pipeline.ingest.accounting.summary import (
    ActionCounts,
    IngestSummary,
    StepCounts,
    TableCounts,
    TaskCounts,
)
from pipeline.spans.window_summary import window_summary

DAY = datetime.date(2022, 5, 1)


def of_day(number: int, train: int, validation: int, train_mean: float | None) -> IngestSummary:
    """A day on which 2 lines are rejected; the validation's mean label is 0.5."""
    tasks = {
        "train": TaskCounts(examples=train if train_mean is not None else 0, label_mean=train_mean),
        "validation": TaskCounts(examples=validation, label_mean=0.5),
        "evaluation": TaskCounts(examples=0, label_mean=None),
    }
    read = StepCounts(
        received=train + validation + 2, passed=train + validation, rejected=2, sampled_out=0
    )
    return IngestSummary(
        lines=train + validation + 2,
        steps={"parse": read},
        rejected={"malformed": 1, f"other_{number}": 1},
        examples={"train": train, "validation": validation, "evaluation": 0},
        tasks={"click": tasks},
        records_of_day={DAY + datetime.timedelta(days=number): train + validation},
        evaluation_days=[],
        tables={"users": TableCounts(lines=9, rows=9, repeated_keys=0, rejected={}, examples_without_row=number)},
        unreadable_files=[f"{number}.gz"],
    )  # fmt: skip


def test_the_last_day_judges_with_all_of_its_examples_and_the_others_train() -> None:
    judging = DAY + datetime.timedelta(days=3)
    summary = window_summary(
        [of_day(1, 60, 6, 0.1), of_day(2, 30, 3, 0.4)], of_day(3, 80, 8, 0.2), judging
    )
    assert summary.lines == 68 + 35 + 90
    assert summary.examples == {"train": 90, "validation": 9, "evaluation": 88}
    assert summary.rejected == {"malformed": 3, "other_1": 1, "other_2": 1, "other_3": 1}
    assert summary.steps == {
        "parse": StepCounts(received=193, passed=187, rejected=6, sampled_out=0)
    }
    assert summary.differences() == []
    assert summary.evaluation_days == [judging]
    assert summary.unreadable_files == ["1.gz", "2.gz", "3.gz"]


def test_mean_labels_are_those_of_all_examples() -> None:
    clicks = window_summary(
        [of_day(1, 60, 6, 0.1), of_day(2, 30, 3, 0.4)], of_day(3, 80, 8, 0.2), DAY
    ).tasks["click"]
    # (60 · 0.1 + 30 · 0.4) / 90 = 18 / 90; (80 · 0.2 + 8 · 0.5) / 88 = 20 / 88.
    assert clicks["train"] == TaskCounts(examples=90, label_mean=0.2)
    assert clicks["evaluation"] == TaskCounts(examples=88, label_mean=round(20 / 88, 6))


def test_an_empty_sample_space_has_no_mean_label() -> None:
    assert (
        window_summary([of_day(1, 60, 6, None)], of_day(3, 80, 8, 0.2), DAY)
        .tasks["click"]["train"]
        .label_mean
        is None
    )


def test_a_side_table_is_that_of_the_last_day_and_missing_rows_add_up() -> None:
    users = window_summary([of_day(1, 60, 6, 0.1)], of_day(3, 80, 8, 0.2), DAY).tables["users"]
    assert (users.rows, users.examples_without_row) == (9, 1 + 3)


def test_actions_of_event_logs_add_up() -> None:
    parse = StepCounts(received=8, passed=5, rejected=1, sampled_out=0, of_other_days=2)
    actions = ActionCounts(
        lines=5,
        lines_of_other_days=3,
        steps={"parse": parse},
        rejected={"orphan_action": 2},
        joined={"play": 3},
    )
    days = [of_day(number, 60, 6, 0.1).model_copy(update={"actions": actions}) for number in (1, 2)]
    assert window_summary(days[:1], days[1], DAY).actions == ActionCounts(
        lines=10,
        lines_of_other_days=6,
        steps={
            "parse": StepCounts(received=16, passed=10, rejected=2, sampled_out=0, of_other_days=4)
        },
        rejected={"orphan_action": 4},
        joined={"play": 6},
    )
