"""The summary of an ingestion: written beside the examples, checked, and read by reports."""

from __future__ import annotations

import datetime
import itertools

import pydantic

from feature_spec.logs.logs import ACTIONS
from feature_spec.names import SPLITS
from feature_spec.tasks.label_rule import TaskKind
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts, counts_under
from pipeline.ingest.accounting.limits import SourceLines, check_rejected, check_where
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.log_days import SMALLEST_SHARE_OF_DAY, EventDays, SpanDay

SUMMARY_FILE = "ingest_summary.json"
_FEW_LINES = 100


class TaskCounts(pydantic.BaseModel):
    """The sample space of a task in one split.

    Attributes:
        examples: the size of the sample space.
        label_mean: the mean label there; None where the sample space is empty.
        positives: the number of labels above 0; None unless the task is binary.
        negatives: the number of labels below 1; None unless the task is binary.
    """

    examples: int
    label_mean: float | None
    # Earlier versions did not write them.
    positives: int | None = None
    negatives: int | None = None


class TableCounts(pydantic.BaseModel):
    """The lines of a side table by their fate.

    Attributes:
        lines: lines read, without headers.
        rows: rows that can be joined.
        repeated_keys: rows whose key an earlier row has.
        rejected: lines that cannot be used, by reason.
        filtered: lines that `where` of the spec leaves out.
        examples_without_row: examples whose key is missing or not in the table.
    """

    lines: int
    rows: int
    repeated_keys: int
    rejected: dict[str, int]
    filtered: int = 0
    examples_without_row: int


class StepCounts(pydantic.BaseModel):
    """The lines, records or rows of one step of ingestion, as the step counted them itself.

    Attributes:
        received: the number received.
        passed: the number passed on, or written.
        rejected: the number rejected.
        sampled_out: the number of negatives left out by the sampling of the spec.
        warm_up: the number of exposures that only warm up histories.
        filtered: the number of lines that `where` of the spec leaves out.
        of_other_days: the number left to the ingestion of the days around.
    """

    received: int
    passed: int
    rejected: int
    sampled_out: int
    warm_up: int = 0
    filtered: int = 0
    of_other_days: int = 0


class HistoryCounts(pydantic.BaseModel):
    """What examples see of a history; of a count with windows, in the first of them.

    Attributes:
        examples: the number of examples of all splits.
        without_key: those without a value in a field of the key.
        empty: those with a key of which nothing is known.
        mean_events: the mean number of known exposures, or values of a sequence, of all examples;
            None without examples.
    """

    examples: int
    without_key: int
    empty: int
    mean_events: float | None


class ActionCounts(pydantic.BaseModel):
    """The lines of the log of actions by their fate.

    Attributes:
        lines: lines read, without headers; in a run by span, lines of the day.
        lines_of_other_days: lines read of the days around.
        steps: the counts of each step, in the order of the steps: parse, deduplicate, join.
        rejected: rejected lines by reason, which include late actions and actions without an
            impression.
        joined: actions attributed to an impression, by kind.
    """

    lines: int
    lines_of_other_days: int = 0
    steps: dict[str, StepCounts]
    rejected: dict[str, int]
    joined: dict[str, int]

    @property
    def filtered(self) -> int:
        """The number of lines that `where` of the spec leaves out."""
        return sum(step.filtered for step in self.steps.values())


class IngestSummary(pydantic.BaseModel):
    """The lines of a log by their fate.

    Attributes:
        lines: lines read, without headers; in a run by span, lines of the day.
        lines_of_other_days: impressions of the days around, read to attribute actions to them.
        steps: the counts of each step, in the order of the steps: parse, label, write; with event
            logs, deduplicate is the second.
        actions: the lines of the log of actions; None without event logs.
        rejected: rejected lines by reason.
        examples: examples written, by split.
        tasks: sample spaces by task, then by split.
        records_of_day: readable records by day of the event, duplicates included; empty without
            event times.
        evaluation_days: the days that judge the model; empty where files judge it, or where a
            single day is ingested.
        tables: the side tables.
        absent_columns: columns that the spec names and no record of a table or topic has, with
            their place in the spec.
        unreadable_files: files of the log and its tables that could not be read to their end.
        line_breaks: examples or rows with a line break in a field, by field; only fields with any.
        lines_of_day: lines by ingested day, in runs by span.
        histories: what examples see of each history.
    """

    lines: int
    lines_of_other_days: int = 0
    # Versions before 0.2.0 did not write them.
    steps: dict[str, StepCounts] = {}
    actions: ActionCounts | None = None
    rejected: dict[str, int]
    examples: dict[str, int]
    tasks: dict[str, dict[str, TaskCounts]]
    records_of_day: dict[datetime.date, int]
    evaluation_days: list[datetime.date]
    tables: dict[str, TableCounts]
    absent_columns: list[str] = []
    unreadable_files: list[str]
    line_breaks: dict[str, int] = {}
    lines_of_day: dict[datetime.date, int] = {}
    histories: dict[str, HistoryCounts] = {}

    @classmethod
    def of(cls, counts: Counts, settings: IngestSettings) -> IngestSummary:
        """Summarise the counts of all steps."""
        days = event_days(counts, settings)
        return cls(
            **_lines(counts, counters.PARSE),
            steps={step: _step_counts(counts, step) for step in _steps(settings)},
            actions=_action_counts(counts) if settings.logs.actions is not None else None,
            rejected=counts_under(counts, counters.REJECTED),
            examples={split: counts[counters.EXAMPLES, split] for split in SPLITS},
            tasks={
                task: {split: _task_counts(counts, task, split, rules.kind) for split in SPLITS}
                for task, rules in settings.tasks.items()
            },
            records_of_day={_date(day): count for day, count in _records_of_day(counts).items()},
            evaluation_days=[_date(day) for day in days.days if days.is_evaluation(day)]
            if isinstance(days, EventDays)
            else [],
            tables={table: _table_counts(counts, table) for table in settings.logs.tables},
            absent_columns=_absent_columns(counts, settings),
            unreadable_files=list(counts_under(counts, counters.UNREADABLE_FILE)),
            line_breaks={
                field: count
                for field, count in counts_under(counts, counters.LINE_BREAKS).items()
                if count
            },
            lines_of_day={
                settings.day: _lines(counts, counters.PARSE)["lines"]
                - counts[counters.STEP, counters.PARSE, counters.FILTERED]
            }
            if settings.day is not None
            else {},
            histories=_history_counts(counts, settings),
        )

    @property
    def filtered(self) -> int:
        """The number of lines that `where` of the spec leaves out."""
        return sum(step.filtered for step in self.steps.values())

    @property
    def rejected_share(self) -> float:
        """Rejected lines of the log divided by lines that `where` keeps; 0 without such lines."""
        return self.by_source[None].rejected_share

    @property
    def totals(self) -> dict[str, int]:
        """Lines read, and their fates.

        These are examples, rejected, sampled_out and, if any, warm_up and filtered.
        """
        warm_up = sum(step.warm_up for step in self.steps.values())
        return {
            "lines": self.lines,
            "examples": sum(self.examples.values()),
            "rejected": sum(self.rejected.values()),
            "sampled_out": sum(step.sampled_out for step in self.steps.values()),
            **({"warm_up": warm_up} if warm_up else {}),
            **({"filtered": self.filtered} if self.filtered else {}),
        }

    def differences(self) -> list[str]:
        """Describe each pair of counts that should be equal and is not; empty where all add up."""
        totals = self.totals
        lines, rejected = totals.pop("lines"), totals["rejected"]
        became = (
            f"{totals['examples']:,} examples written, {rejected:,} lines rejected"
            f" and {totals['sampled_out']:,} sampled out"
        )
        if warm_up := totals.get("warm_up"):
            became += f", {warm_up:,} of the warm-up of histories"
        if self.filtered:
            became += f", {self.filtered:,} left out by 'where'"
        pairs = [("lines read", lines, became, sum(totals.values()))]
        if self.actions is not None:
            attributed, unusable = (
                sum(self.actions.joined.values()),
                sum(self.actions.rejected.values()),
            )
            lines = self.actions.lines + self.actions.lines_of_other_days
            of_other_days = sum(step.of_other_days for step in self.actions.steps.values())
            filtered = self.actions.filtered
            became = (
                f"{attributed:,} joined, {unusable:,} rejected and {of_other_days:,} of other days"
                + (f", {filtered:,} left out by 'where'" if filtered else "")
            )
            total = attributed + unusable + of_other_days + filtered
            pairs.append(("lines of actions", lines, became, total))
        of_actions = self.actions.steps if self.actions is not None else {}
        for name, step in [*self.steps.items(), *of_actions.items()]:
            parts = {
                "passed on": step.passed,
                "rejected": step.rejected,
                "sampled out": step.sampled_out,
            }
            parts |= {"of other days": step.of_other_days} if step.of_other_days else {}
            parts |= {"of the warm-up": step.warm_up} if step.warm_up else {}
            parts |= {"left out by 'where'": step.filtered} if step.filtered else {}
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
            became = (
                f"{table.rows:,} rows, {table.repeated_keys:,} of a repeated key"
                f" and {unusable:,} rejected"
                + (f", {table.filtered:,} left out by 'where'" if table.filtered else "")
            )
            pairs.append(
                (
                    f"lines of side table {name}",
                    table.lines,
                    became,
                    table.rows + table.repeated_keys + unusable + table.filtered,
                )
            )
        return [
            f"{count:,} {what} are not {others}"
            for what, count, others, sum_ in pairs
            if count != sum_
        ]

    def check(self, settings: IngestSettings) -> None:
        """Check that no line was lost, and that there is enough to train and to judge a model.

        Raises:
            ValueError: the counts do not add up, too many lines were rejected, or a split is empty.
        """
        differences = self.differences()
        if differences:
            raise ValueError("; ".join([*differences, "ingestion lost count; please report this"]))
        if not self.lines and settings.day is None:
            raise ValueError(f"the log ({settings.logs.shown.text}) has no lines")
        if self.absent_columns:
            raise ValueError(
                "\n  ".join(["the logs are not as the spec says", *self.absent_columns])
            )
        # Of a day with a handful of lines, one may be a large share; that stops no window.
        few = _FEW_LINES if settings.day is not None else 0
        by_source = self.by_source
        if settings.day is None:
            check_where(by_source, settings)
        for source, counted in by_source.items():
            if source in self.tables or counted.kept >= few:
                check_rejected(counted, settings)
        records = {day.toordinal(): count for day, count in self.records_of_day.items()}
        days = _event_days(records, settings)
        if isinstance(days, EventDays) and days.leaves_none_to_train:
            only = ", ".join(str(_date(day)) for day in days.days)
            raise ValueError(
                f"split.evaluation_days is {days.evaluation}, but the log has only {only} "
                f"(a day counts from {SMALLEST_SHARE_OF_DAY:.1%} of the records): "
                "no day is left to train on"
            )
        if settings.day is None:
            self.check_splits()

    @property
    def by_source(self) -> dict[str | None, SourceLines]:
        """The lines of each source, as in `IngestSettings.sources`."""
        shown = SourceLines("the log's", self.lines, self.filtered, self.rejected)
        sources: dict[str | None, SourceLines] = {None: shown}
        if (of := self.actions) is not None:
            sources[ACTIONS] = SourceLines("the actions'", of.lines, of.filtered, of.rejected)
        return sources | {
            name: SourceLines(f"side table {name}'s", table.lines, table.filtered, table.rejected)
            for name, table in self.tables.items()
        }

    def check_splits(self) -> None:
        """Check that there are examples to train and to judge a model.

        A day of a run by span may be empty, but not all of them together.

        Raises:
            ValueError: a split is empty.
        """
        empty = [split for split, count in self.examples.items() if not count]
        if empty:
            counts = ", ".join(f"{split} {count:,}" for split, count in self.examples.items())
            raise ValueError(
                f"no examples for {' and '.join(empty)} ({counts}): "
                "give more logs, or another split in the spec"
            )


def event_days(counts: Counts, settings: IngestSettings) -> EventDays | SpanDay | None:
    """Return the days of the log from the records counted, or the ingested day.

    None means that files tell the splits apart, or that days are not known.
    """
    return _event_days(_records_of_day(counts), settings)


def first_day(counts: Counts, settings: IngestSettings) -> int | None:
    """Return the first day of the log, as `datetime.date.toordinal` counts; None if not known."""
    if settings.day is not None:
        return settings.day.toordinal()
    days = EventDays.of(_records_of_day(counts), 1).days
    return days[0] if days else None


def warm_up_before(
    counts: Counts, settings: IngestSettings, earlier_day: int | None = None
) -> int | None:
    """Return the day before which exposures only warm up histories; None without a warm-up.

    Args:
        counts: the counts of all files of the log.
        settings: the spec's rules.
        earlier_day: the first day of the histories that the ingestion goes on with, if any.
    """
    first = earlier_day if earlier_day is not None else first_day(counts, settings)
    if settings.histories is None or not settings.histories.warm_up_days or first is None:
        return None
    return first + settings.histories.warm_up_days


def _event_days(records: dict[int, int], settings: IngestSettings) -> EventDays | SpanDay | None:
    if settings.day is not None:
        return SpanDay(settings.day.toordinal()) if settings.keys.event_time is not None else None
    evaluation = settings.split.evaluation_days
    return EventDays.of(records, evaluation) if evaluation is not None else None


def _records_of_day(counts: Counts) -> dict[int, int]:
    return dict(
        sorted((int(day), count) for day, count in counts_under(counts, counters.DAY).items())
    )


def _absent_columns(counts: Counts, settings: IngestSettings) -> list[str]:
    absent = []
    for name, source in settings.sources.items():
        seen = counts_under(counts, counters.COLUMN, settings.place_of(name))
        if seen:  # else there was no record
            needed = sorted(settings.columns_of(name).items())
            absent += [
                f"{place}: no column {column!r} in {source.text}"
                for column, place in needed
                if column not in seen
            ]
    return absent


def _steps(settings: IngestSettings) -> tuple[str, ...]:
    return counters.EXPOSURE_STEPS if settings.logs.actions is None else counters.IMPRESSION_STEPS


def _action_counts(counts: Counts) -> ActionCounts:
    return ActionCounts(
        **_lines(counts, counters.PARSE_ACTIONS),
        steps={step: _step_counts(counts, step) for step in counters.ACTION_STEPS},
        rejected=counts_under(counts, counters.REJECTED_ACTIONS),
        joined=counts_under(counts, counters.ACTION),
    )


def _lines(counts: Counts, step: str) -> dict[str, int]:
    of_other_days = counts[counters.LINES_OF_OTHER_DAYS, step]
    return {
        "lines": counts[counters.STEP, step, counters.RECEIVED] - of_other_days,
        "lines_of_other_days": of_other_days,
    }


def _step_counts(counts: Counts, step: str) -> StepCounts:
    parts = StepCounts.model_fields  # by the names of the counters
    return StepCounts(**{part: counts[counters.STEP, step, part] for part in parts})


def _task_counts(counts: Counts, task: str, split: str, kind: TaskKind) -> TaskCounts:
    examples = counts[counters.SAMPLE_SPACE, split, task]
    mean = (
        round(counts[counters.LABEL_MILLIONTHS, split, task] / 1_000_000 / examples, 6)
        if examples
        else None
    )
    if kind != "binary":
        return TaskCounts(examples=examples, label_mean=mean)
    return TaskCounts(
        examples=examples,
        label_mean=mean,
        positives=counts[counters.POSITIVES, split, task],
        negatives=counts[counters.NEGATIVES, split, task],
    )


def _history_counts(counts: Counts, settings: IngestSettings) -> dict[str, HistoryCounts]:
    if settings.histories is None:
        return {}
    result = {}
    for name in (*settings.histories.counts, *settings.histories.sequences):
        examples = counts[counters.HISTORY, name, counters.EXAMPLES]
        events = counts[counters.HISTORY, name, counters.EVENTS]
        result[name] = HistoryCounts(
            examples=examples,
            without_key=counts[counters.HISTORY, name, counters.NO_KEY],
            empty=counts[counters.HISTORY, name, counters.EMPTY],
            mean_events=round(events / examples, 6) if examples else None,
        )
    return result


def _table_counts(counts: Counts, table: str) -> TableCounts:
    return TableCounts(
        lines=counts[counters.TABLE_LINES, table],
        rows=counts[counters.TABLE_ROWS, table],
        repeated_keys=counts[counters.TABLE_REPEATED, table],
        rejected=counts_under(counts, counters.TABLE_REJECTED, table),
        filtered=counts[counters.TABLE_FILTERED, table],
        examples_without_row=counts[counters.UNJOINED, table],
    )


def _date(day: int) -> datetime.date:
    return datetime.date.fromordinal(day)
