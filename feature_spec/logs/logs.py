"""Where a user's logs lie and how they are read: sources, keys and the split into train, validation and evaluation."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import PositiveInt, model_validator

from feature_spec.fields.field import Share
from feature_spec.logs.event_logs import Actions, EventTime, Impressions
from feature_spec.logs.source import Source
from feature_spec.strict_model import StrictModel


class RejectionReason(StrEnum):
    """Each rejected line has one reason: the first that applies."""

    UNREADABLE = "unreadable"  # the file ends or breaks here; what follows is lost
    EMPTY_LINE = "empty_line"
    LINE_TOO_LONG = "line_too_long"
    WRONG_ENCODING = "wrong_encoding"  # not UTF-8
    MALFORMED = "malformed"  # not a JSON object, or a wrong number of CSV values
    MISSING_KEY = "missing_key"
    BAD_EVENT_TIME = "bad_event_time"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"  # NaN or infinite
    OUT_OF_RANGE = "out_of_range"
    DUPLICATE = "duplicate"
    STRAY_EVENT_TIME = "stray_event_time"  # later than the last day of the log
    ORPHAN_ACTION = "orphan_action"  # without an impression before it
    LATE_ACTION = "late_action"  # beyond the attribution window


__all__ = [
    "ACTIONS",
    "Actions",
    "EventTime",
    "Impressions",
    "Keys",
    "Logs",
    "SideTable",
    "Source",
    "Split",
]

# The name of the log of actions among the sources, which no side table may have.
ACTIONS = "actions"


class SideTable(Source):
    """A table joined to the exposures by key, such as users or items.

    Attributes:
        key: the column of this table that identifies a row. Of several rows with one key the first
            by path and line is used.
        exposure_key: the column of the exposure log that refers to it. Defaults to `key`.
    """

    key: str
    exposure_key: str | None = None

    @model_validator(mode="after")
    def _rows_have_keys(self) -> Self:
        if self.kafka is not None:
            raise ValueError(
                "a side table is one row a key, which a topic is not; give 'path' or 'bigquery'"
            )
        return self


class Logs(StrictModel):
    """The log of exposures and its side tables. It is one table with the feedback in it, or event logs that are joined.

    Attributes:
        exposures: the log as a table, one line an exposure with its feedback.
        impressions: the log as events: what was shown.
        actions: and what users did.
        tables: side tables by name.
        missing_values: texts that stand for a missing value.
        deduplicate: whether a line equal to an earlier one in every column is rejected as a
            duplicate.
        max_line_bytes: a longer line is rejected unread.
        max_rejected_share: the largest share of the log's lines that may be rejected before the run
            stops.
        max_rejected_share_of: a limit of its own for a reason, which then does not count towards
            the common one.
    """

    exposures: Source | None = None
    impressions: Impressions | None = None
    actions: Actions | None = None
    tables: dict[str, SideTable] = {}
    missing_values: list[str] = [""]
    deduplicate: bool = True
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
                f"needs either 'exposures', or 'impressions' and 'actions'; received {' and '.join(given) or 'none'}"
            )
        if self.actions is not None and ACTIONS in self.tables:
            raise ValueError(f"a side table beside event logs cannot be named {ACTIONS!r}")
        return self

    def of_day(self, day: datetime.date | None, timezone: str = "UTC") -> Self:
        """The logs of one day, or of all days (None): every source that has a place for the day. Kafka's begin in `timezone`.

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
        """Whether nothing tells if the logs have changed, as sizes and times of files do: they come from a table or a topic.

        Args:
            by_day: whether they are read day by day. What has a place for the day is as that day
                left it.
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
        """The source with a line an exposure: the table of exposures, or the impressions."""
        source = self.exposures or self.impressions
        assert source is not None  # noqa: S101 (one of them is there)
        return source


class Keys(StrictModel):
    """Columns of the log that say who was shown what, and when. A line without one of those named is rejected.

    Attributes:
        request: identifies the ranking request.
        user: identifies the user.
        item: identifies the item.
        event_time: when the exposure happened. Needed to split by days.
    """

    request: str | None = None
    user: str | None = None
    item: str | None = None
    event_time: EventTime | None = None


class Split(StrictModel):
    """Which exposures train the model, which stop the training, and which judge it. No exposure is in two splits.

    Attributes:
        evaluation_days: the last days of the log judge the model (as in PLE, section 4.1). Excludes
            `evaluation_files`.
        evaluation_files: glob patterns of the files that judge the model, for logs without an event
            time.
        validation_share: share of the exposures of `validation_of` set aside for early stopping,
            drawn by a hash of each.
        validation_of: the part that share is taken from.
    """

    evaluation_days: PositiveInt | None = None
    evaluation_files: list[str] | None = None
    validation_share: Annotated[float, pydantic.Field(gt=0.0, lt=1.0)] = 0.05
    validation_of: Literal["train", "evaluation"] = "train"

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if (self.evaluation_days is None) == (self.evaluation_files is None):
            raise ValueError("needs either 'evaluation_days' or 'evaluation_files'")
        return self
