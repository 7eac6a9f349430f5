"""The logs of a ranking system: sources, keys, and the split into training and evaluation."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import model_validator

from feature_spec.fields.field import Share
from feature_spec.fields.values import is_missing
from feature_spec.logs.event_logs import Actions, EventTime, Impressions
from feature_spec.logs.source import Source
from feature_spec.strict_model import PositiveInt, StrictModel, Text


class RejectionReason(StrEnum):
    """The reason for which a line is rejected: the first that applies."""

    UNREADABLE = "unreadable"  # the file ends or breaks here; what follows is lost
    EMPTY_LINE = "empty_line"
    LINE_TOO_LONG = "line_too_long"
    WRONG_ENCODING = "wrong_encoding"  # not in the encoding of its source, UTF-8 by default
    MALFORMED = "malformed"  # not a JSON object, or a wrong number of CSV values
    MISSING_KEY = "missing_key"
    BAD_EVENT_TIME = "bad_event_time"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"  # NaN or infinite
    WRONG_LENGTH = "wrong_length"  # a vector of another dimension; weights not of each value
    OUT_OF_RANGE = "out_of_range"
    DUPLICATE = "duplicate"
    STRAY_EVENT_TIME = "stray_event_time"  # later than the last day of the log
    ORPHAN_ACTION = "orphan_action"  # without an impression before it
    LATE_ACTION = "late_action"  # beyond the attribution window


# The name of the log of actions among the sources; no side table may have it.
ACTIONS = "actions"


class SideTable(Source):
    """A table joined to the exposures by key, such as users or items.

    Attributes:
        key: the column of this table that identifies a row. If several rows have the same key, the
            first by path and line is used.
        exposure_key: the column of the exposure log with the key. Defaults to `key`.
        display: the column with a text for people, such as a title, which no model reads. It
            travels with the tables of `serving.export_tables`.
    """

    key: Text
    exposure_key: Text | None = None
    display: Text | None = None

    @model_validator(mode="after")
    def _rows_have_keys(self) -> Self:
        if self.kafka is not None:
            raise ValueError(
                "a side table is one row a key, which a topic is not; give 'path' or 'bigquery'"
            )
        return self


class Logs(StrictModel):
    """The log of exposures and its side tables.

    The log is one table with the feedback in it, or event logs that are joined.

    Attributes:
        exposures: one table, with an exposure and its feedback in each line.
        impressions: the event log of impressions.
        actions: the event log of actions.
        tables: side tables by name.
        missing_values: texts that stand for a missing value; they cover numbers and truth values
            that they spell, too.
        deduplicate: whether a line equal to an earlier one in every column is rejected as a
            duplicate. By default, it is where `keys` has the request or the event time: without
            either, equal lines may be different exposures.
        max_line_bytes: the largest size of a line; a longer line is rejected unread.
        max_rejected_share: the largest share of rejected lines; beyond it, the run stops.
        max_rejected_share_of: limits by reason. A reason with its own limit does not count towards
            `max_rejected_share`.
    """

    exposures: Source | None = None
    impressions: Impressions | None = None
    actions: Actions | None = None
    tables: dict[str, SideTable] = {}
    missing_values: list[str] = [""]
    deduplicate: bool | None = None
    max_line_bytes: PositiveInt = 1_000_000
    max_rejected_share: Share = 0.1
    max_rejected_share_of: dict[
        Annotated[RejectionReason, pydantic.Field(strict=False)], Share
    ] = {}

    @model_validator(mode="after")
    def _table_or_events(self) -> Self:
        given = [
            name
            for name in ("exposures", "impressions", "actions")
            if getattr(self, name) is not None
        ]
        if given not in (["exposures"], ["impressions", "actions"]):
            raise ValueError(
                "needs either 'exposures', or 'impressions' and 'actions'; "
                f"received {' and '.join(given) or 'none'}"
            )
        if self.actions is not None and ACTIONS in self.tables:
            raise ValueError(f"a side table beside event logs cannot be named {ACTIONS!r}")
        return self

    @model_validator(mode="after")
    def _conditions_can_hold(self) -> Self:
        sources = {"exposures": self.exposures, "impressions": self.impressions}
        sources |= {"actions": self.actions}
        sources |= {f"tables.{name}": table for name, table in self.tables.items()}
        for place, source in sources.items():
            for column, values in source.where.items() if source is not None else ():
                missing = [value for value in values if is_missing(value, self.missing_values)]
                if missing:
                    named = ", ".join(map(repr, missing))
                    raise ValueError(
                        f"{place}.where.{column}: {named} stands for a missing value by "
                        "'missing_values', and no line without a value meets a condition"
                    )
        return self

    def of_day(self, day: datetime.date | None, timezone: str = "UTC") -> Self:
        """Return the logs of one day, or of all days (None).

        The change applies to every source with a placeholder for the day. Days of Kafka begin in
        `timezone`.

        Raises:
            ValueError: `day` is None, and a source can only be read day by day.
        """
        changes: dict[str, Any] = {}
        for name, part in self:
            if isinstance(part, Source):
                changes[name] = part.of_day(day, timezone)
            elif isinstance(part, dict):
                changes[name] = {
                    key: value.of_day(day, timezone) if isinstance(value, Source) else value
                    for key, value in part.items()
                }
        return self.model_copy(update=changes)

    def are_read_anew(self, *, by_day: bool) -> bool:
        """Return whether the logs must be read again because nothing tells if they have changed.

        Files have sizes and times; a table of BigQuery and a topic of Kafka do not.

        Args:
            by_day: whether the logs are read day by day. A source with a placeholder for the day
                does not change after that day.
        """
        sources = [
            self.shown,
            *([self.actions] if self.actions is not None else []),
            *self.tables.values(),
        ]
        return any(
            source.connector is not None and not (by_day and source.has_day) for source in sources
        )

    @property
    def shown(self) -> Source:
        """The source with one line per exposure: the table of exposures, or the impressions."""
        source = self.exposures or self.impressions
        assert source is not None  # noqa: S101 (one of them is there)
        return source


class Keys(StrictModel):
    """The columns of the log that identify an exposure and its time.

    A line without a value in one of these columns is rejected.

    Attributes:
        request: the column that identifies the ranking request.
        user: the column that identifies the user.
        item: the column that identifies the item.
        event_time: the time of the exposure. A split by days needs it.
    """

    request: Text | None = None
    user: Text | None = None
    item: Text | None = None
    event_time: EventTime | None = None

    def deduplicates(self, logs: Logs) -> bool:
        """Return whether equal lines of the logs are one exposure."""
        if logs.deduplicate is not None:
            return logs.deduplicate
        return self.request is not None or self.event_time is not None


class Split(StrictModel):
    """The split of exposures into training, validation (early stopping) and evaluation.

    Each exposure is in one split.

    Attributes:
        evaluation_days: the number of last days of the log that evaluate the model (as in PLE,
            section 4.1). Excludes `evaluation_files`.
        evaluation_files: glob patterns of the files that evaluate the model, for logs without an
            event time.
        evaluation_share: the share of exposures, or of users, that evaluates the model, drawn by a
            hash, for logs without an event time.
        validation_share: the share of the exposures, or users, of `validation_of` that is set aside
            for early stopping, drawn by a hash.
        validation_of: the split from which the validation examples are taken.
        by: what the shares are drawn from: with `user`, all exposures of a user are in one split;
            with `row`, equal lines are. Only with `evaluation_share`.
    """

    evaluation_days: Annotated[PositiveInt, pydantic.Field(le=36_500)] | None = None
    evaluation_files: Annotated[list[Text], pydantic.Field(min_length=1)] | None = None
    evaluation_share: Annotated[float, pydantic.Field(gt=0.0, lt=1.0)] | None = None
    validation_share: Annotated[float, pydantic.Field(gt=0.0, lt=1.0)] = 0.05
    validation_of: Literal["train", "evaluation"] = "train"
    by: Literal["user", "row"] = "row"

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        ways = ("evaluation_days", "evaluation_files", "evaluation_share")
        given = [way for way in ways if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(
                "needs either 'evaluation_days' or 'evaluation_files' or 'evaluation_share', "
                f"received {' and '.join(given) or 'none'}"
            )
        if "by" in self.model_fields_set and self.evaluation_share is None:
            raise ValueError(f"'by' only works with 'evaluation_share', received {given[0]!r}")
        return self
