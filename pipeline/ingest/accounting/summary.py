"""What became of every line: written beside the examples, checked, and read by reports."""

from __future__ import annotations

import datetime
import itertools

import pydantic

from feature_spec.names import SPLITS
from pipeline.ingest.accounting import counters as counted
from pipeline.ingest.accounting.counters import Tally, counts_under
from pipeline.ingest.settings.event_days import SMALLEST_SHARE_OF_DAY, EventDays, SpanDay
from pipeline.ingest.settings.ingest_config import IngestSettings

SUMMARY_FILE = "ingest_summary.json"


class TaskCounts(pydantic.BaseModel):
    """A task in one split.

    Attributes:
        examples: the size of its sample space.
        label_mean: mean label there; None where the sample space is empty.
    """

    examples: int
    label_mean: float | None


class TableCounts(pydantic.BaseModel):
    """What became of a side table's lines.

    Attributes:
        lines: lines read, without headers.
        rows: rows that can be joined.
        repeated_keys: rows whose key an earlier row has.
        rejected: lines that cannot be used, by reason.
        examples_without_row: examples whose key is missing or not in the table.
    """

    lines: int
    rows: int
    repeated_keys: int
    rejected: dict[str, int]
    examples_without_row: int


class StepCounts(pydantic.BaseModel):
    """What a step of ingestion counted for itself.

    Attributes:
        received: lines, records or rows that it was given.
        passed: those that it passed on, or wrote.
        rejected: those that it rejected.
        sampled_out: negatives that it left out because the spec says so.
        of_other_days: those that are the business of a neighbouring day's ingestion.
    """

    received: int
    passed: int
    rejected: int
    sampled_out: int
    of_other_days: int = 0


class ActionCounts(pydantic.BaseModel):
    """What became of the log of actions.

    Attributes:
        lines: lines read, without headers; in a run by span those of the day.
        lines_of_other_days: lines read of neighbouring days.
        steps: what each step counted, in the order of the steps: parse, deduplicate, join.
        rejected: lines that were rejected, by reason; those of late actions and of those without an
            impression are among them.
        joined: actions that were attributed to an impression, by kind.
    """

    lines: int
    lines_of_other_days: int = 0
    steps: dict[str, StepCounts]
    rejected: dict[str, int]
    joined: dict[str, int]


class IngestSummary(pydantic.BaseModel):
    """What became of every line of the log.

    Attributes:
        lines: lines read, without headers; in a run by span those of the day.
        lines_of_other_days: lines of impressions of neighbouring days, read to tell whose the
            actions are.
        steps: what each step counted, in the order of the steps: parse, label, write; of event
            logs, deduplicate the second.
        actions: what became of the lines of the log of actions; None without event logs.
        rejected: lines that were rejected, by reason.
        examples: examples written, by split.
        tasks: by task, then by split.
        records_of_day: readable records by day of the event, duplicates included; empty without
            event times.
        evaluation_days: the days that judge the model; empty where files do, or where a single day
            is ingested.
        tables: the side tables.
        absent_columns: columns that the spec names and no record of a table or topic has, with
            their place in the spec.
        unreadable_files: files of the log and its tables that could not be read to their end.
    """

    lines: int
    lines_of_other_days: int = 0
    steps: dict[str, StepCounts]
    actions: ActionCounts | None = None
    rejected: dict[str, int]
    examples: dict[str, int]
    tasks: dict[str, dict[str, TaskCounts]]
    records_of_day: dict[datetime.date, int]
    evaluation_days: list[datetime.date]
    tables: dict[str, TableCounts]
    absent_columns: list[str] = []
    unreadable_files: list[str]

    @classmethod
    def of(cls, tally: Tally, settings: IngestSettings) -> IngestSummary:
        """Puts the counts of all steps into words."""
        days = event_days(tally, settings)
        return cls(
            **_lines(tally, counted.PARSE),
            steps={step: _step_counts(tally, step) for step in _steps(settings)},
            actions=_action_counts(tally) if settings.logs.actions is not None else None,
            rejected=counts_under(tally, counted.REJECTED),
            examples={split: tally[counted.EXAMPLES, split] for split in SPLITS},
            tasks={
                task: {split: _task_counts(tally, task, split) for split in SPLITS}
                for task in settings.tasks
            },
            records_of_day={_date(day): count for day, count in _records_of_day(tally).items()},
            evaluation_days=[_date(day) for day in days.days if days.is_evaluation(day)]
            if isinstance(days, EventDays)
            else [],
            tables={table: _table_counts(tally, table) for table in settings.logs.tables},
            absent_columns=_absent_columns(tally, settings),
            unreadable_files=list(counts_under(tally, counted.UNREADABLE_FILE)),
        )

    @property
    def rejected_share(self) -> float:
        """Rejected lines of the log by lines read; 0 without lines."""
        return sum(self.rejected.values()) / self.lines if self.lines else 0.0

    @property
    def totals(self) -> dict[str, int]:
        """Lines read, and the three things that became of them: examples, rejected and sampled_out."""
        return {
            "lines": self.lines,
            "examples": sum(self.examples.values()),
            "rejected": sum(self.rejected.values()),
            "sampled_out": sum(step.sampled_out for step in self.steps.values()),
        }

    def differences(self) -> list[str]:
        """Where counts that should be equal are not, in words; empty where all add up."""
        lines, written, rejected, sampled_out = self.totals.values()
        became = f"{written:,} examples written, {rejected:,} lines rejected and {sampled_out:,} sampled out"
        pairs = [("lines read", lines, became, written + rejected + sampled_out)]
        if self.actions is not None:
            attributed, unusable = (
                sum(self.actions.joined.values()),
                sum(self.actions.rejected.values()),
            )
            lines = self.actions.lines + self.actions.lines_of_other_days
            of_other_days = sum(step.of_other_days for step in self.actions.steps.values())
            became = (
                f"{attributed:,} joined, {unusable:,} rejected and {of_other_days:,} of other days"
            )
            pairs.append(("lines of actions", lines, became, attributed + unusable + of_other_days))
        of_actions = self.actions.steps if self.actions is not None else {}
        for name, step in [*self.steps.items(), *of_actions.items()]:
            parts = {
                "passed on": step.passed,
                "rejected": step.rejected,
                "sampled out": step.sampled_out,
            }
            parts |= {"of other days": step.of_other_days} if step.of_other_days else {}
            became = ", ".join(f"{count:,} {part}" for part, count in parts.items())
            pairs.append(
                (f"received by the step {name}", step.received, became, sum(parts.values()))
            )
        chains = (self.steps, of_actions)
        for (before, one), (after, other) in itertools.chain(
            *(itertools.pairwise(chain.items()) for chain in chains)
        ):
            pairs.append(
                (
                    f"passed on by the step {before}",
                    one.passed,
                    f"{other.received:,} received by {after}",
                    other.received,
                )
            )
        by_step = sum(step.rejected for step in self.steps.values())
        pairs.append(
            ("rejected by the steps", by_step, f"{rejected:,} rejected by reason", rejected)
        )
        for name, table in self.tables.items():
            unusable = sum(table.rejected.values())
            became = f"{table.rows:,} rows, {table.repeated_keys:,} of a repeated key and {unusable:,} rejected"
            pairs.append(
                (
                    f"lines of side table {name}",
                    table.lines,
                    became,
                    table.rows + table.repeated_keys + unusable,
                )
            )
        return [
            f"{count:,} {what} are not {others}"
            for what, count, others, sum_ in pairs
            if count != sum_
        ]

    def check(self, settings: IngestSettings) -> None:
        """Sees that nothing was lost and that there is enough to train and to judge a model.

        Raises:
            ValueError: the counts do not add up, too many lines were rejected, or a split is empty.
        """
        differences = self.differences()
        if differences:
            raise ValueError("; ".join([*differences, "ingestion lost count; please report this"]))
        if not self.lines:
            raise ValueError(f"the log ({settings.logs.shown.text}) has no lines")
        if self.absent_columns:
            raise ValueError(
                "\n  ".join(["the logs are not as the spec says", *self.absent_columns])
            )
        _check_rejected("the log's", self.lines, self.rejected, settings)
        if self.actions is not None:
            _check_rejected("the actions'", self.actions.lines, self.actions.rejected, settings)
        for name, table in self.tables.items():
            _check_rejected(f"side table {name}'s", table.lines, table.rejected, settings)
        records = {day.toordinal(): count for day, count in self.records_of_day.items()}
        days = _event_days(records, settings)
        if isinstance(days, EventDays) and days.leaves_none_to_train:
            only = ", ".join(str(_date(day)) for day in days.days)
            raise ValueError(
                f"split.evaluation_days is {days.evaluation}, but the log has only {only} "
                f"(a day counts from {SMALLEST_SHARE_OF_DAY:.1%} of the records): no day is left to train on"
            )
        empty = [split for split in settings.splits if not self.examples[split]]
        if empty:
            counts = ", ".join(f"{split} {count:,}" for split, count in self.examples.items())
            raise ValueError(
                f"no examples for {' and '.join(empty)} ({counts}): give more logs, or another split in the spec"
            )


def event_days(tally: Tally, settings: IngestSettings) -> EventDays | SpanDay | None:
    """The days of the log, from the records counted; None where files tell the splits apart, or days are not known."""
    return _event_days(_records_of_day(tally), settings)


def _event_days(records: dict[int, int], settings: IngestSettings) -> EventDays | SpanDay | None:
    if settings.day is not None:
        return SpanDay(settings.day.toordinal()) if settings.keys.event_time is not None else None
    evaluation = settings.split.evaluation_days
    return EventDays.of(records, evaluation) if evaluation is not None else None


def _records_of_day(tally: Tally) -> dict[int, int]:
    return dict(
        sorted((int(day), count) for day, count in counts_under(tally, counted.DAY).items())
    )


def _absent_columns(tally: Tally, settings: IngestSettings) -> list[str]:
    absent = []
    for name, source in settings.sources.items():
        seen = counts_under(tally, counted.COLUMN, settings.place_of(name))
        if seen:  # else there was no record
            needed = sorted(settings.columns_of(name).items())
            absent += [
                f"{place}: no column {column!r} in {source.text}"
                for column, place in needed
                if column not in seen
            ]
    return absent


def _check_rejected(
    whose: str, lines: int, rejected: dict[str, int], settings: IngestSettings
) -> None:
    limits = settings.logs.max_rejected_share_of
    for reason, limit in limits.items():
        _check_share(
            whose,
            lines,
            {reason: rejected.get(reason, 0)},
            limit,
            f"logs.max_rejected_share_of.{reason}",
        )
    others = {reason: count for reason, count in rejected.items() if reason not in limits}
    _check_share(whose, lines, others, settings.logs.max_rejected_share, "logs.max_rejected_share")


def _check_share(
    whose: str, lines: int, rejected: dict[str, int], limit: float, place: str
) -> None:
    count = sum(rejected.values())
    if count > limit * lines:
        reasons = ", ".join(
            f"{reason} {number:,}"
            for reason, number in sorted(rejected.items(), key=lambda item: -item[1])
        )
        raise ValueError(
            f"{count:,} of {whose} {lines:,} lines were rejected, {count / lines:.1%}, more than {place} {limit:.1%}: {reasons}"
        )


def _steps(settings: IngestSettings) -> tuple[str, ...]:
    return counted.EXPOSURE_STEPS if settings.logs.actions is None else counted.IMPRESSION_STEPS


def _action_counts(tally: Tally) -> ActionCounts:
    return ActionCounts(
        **_lines(tally, counted.PARSE_ACTIONS),
        steps={step: _step_counts(tally, step) for step in counted.ACTION_STEPS},
        rejected=counts_under(tally, counted.REJECTED_ACTIONS),
        joined=counts_under(tally, counted.ACTION),
    )


def _lines(tally: Tally, step: str) -> dict[str, int]:
    of_other_days = tally[counted.LINES_OF_OTHER_DAYS, step]
    return {
        "lines": tally[counted.STEP, step, counted.RECEIVED] - of_other_days,
        "lines_of_other_days": of_other_days,
    }


def _step_counts(tally: Tally, step: str) -> StepCounts:
    parts = (
        counted.RECEIVED,
        counted.PASSED,
        counted.REJECTED,
        counted.SAMPLED_OUT,
        counted.OF_OTHER_DAYS,
    )
    return StepCounts(**{part: tally[counted.STEP, step, part] for part in parts})


def _task_counts(tally: Tally, task: str, split: str) -> TaskCounts:
    examples = tally[counted.SAMPLE_SPACE, split, task]
    mean = (
        round(tally[counted.LABEL_MILLIONTHS, split, task] / 1_000_000 / examples, 6)
        if examples
        else None
    )
    return TaskCounts(examples=examples, label_mean=mean)


def _table_counts(tally: Tally, table: str) -> TableCounts:
    return TableCounts(
        lines=tally[counted.TABLE_LINES, table],
        rows=tally[counted.TABLE_ROWS, table],
        repeated_keys=tally[counted.TABLE_REPEATED, table],
        rejected=counts_under(tally, counted.TABLE_REJECTED, table),
        examples_without_row=tally[counted.UNJOINED, table],
    )


def _date(day: int) -> datetime.date:
    return datetime.date.fromordinal(day)
