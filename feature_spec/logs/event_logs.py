"""Event logs: impressions and actions as separate logs, and the times of events."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import pydantic
from pydantic import PositiveFloat, field_validator, model_validator

from feature_spec.logs.source import Source
from feature_spec.strict_model import StrictModel, Text


class EventTime(StrictModel):
    """The column with the time of an event.

    Attributes:
        column: a column with a number since the Unix epoch, or with text if `unit` is a date unit.
        unit: `s`, `ms` or `us` since the Unix epoch; `iso8601` text; or `yyyymmdd`, a day.
        timezone: the IANA name of the zone in which days begin, also of times without a zone.
    """

    column: Text
    unit: Literal["s", "ms", "us", "iso8601", "yyyymmdd"]
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"no such time zone: {name!r}; give an IANA name such as 'Asia/Shanghai'"
            ) from error
        return name


class FoldedColumn(StrictModel):
    """A column of impressions, aggregated from their actions of one kind.

    Attributes:
        action: the kind of action.
        fold: the aggregate: `any` is 1 if there is an action, else 0; `count` is the number of
            actions; `sum` adds their values and is 0 without actions; `maximum` is their largest
            value and is missing without actions.
        value: the column of the actions with the values, for `sum` and `maximum`.
    """

    action: str
    fold: Literal["any", "count", "sum", "maximum"]
    value: Text | None = None

    @model_validator(mode="after")
    def _values_are_folded(self) -> Self:
        if (self.fold in ("sum", "maximum")) != (self.value is not None):
            raise ValueError(
                "'value' belongs to the folds 'sum' and 'maximum', "
                f"received fold {self.fold!r} and value {self.value!r}"
            )
        return self


class Impressions(Source):
    """The log of impressions, one per line, with the columns of `keys`.

    Attributes:
        event_id: the column that identifies an impression. Lines with the same id count once. By
            default, equal lines do.
    """

    event_id: Text | None = None


class Actions(Source):
    """The log of actions, one per line, with the columns of `keys` by which they are joined.

    Attributes:
        event_id: the column that identifies an action. Lines with the same id count once. By
            default, equal lines do.
        kind: the column with the kind of action, such as `click`.
        event_time: the time of the action.
        join_by: joins an action to the latest earlier impression of the same item, in the same
            `request` or to the same `user`.
        window_s: the attribution window: seconds after its impression in which an action counts.
        folds: columns that impressions get from their actions; each replaces a column of the same
            name.
    """

    event_id: Text | None = None
    kind: Text
    event_time: EventTime
    join_by: Literal["request", "user"] = "request"
    # Times are 64-bit integers of microseconds.
    window_s: Annotated[PositiveFloat, pydantic.Field(le=1e11)]
    folds: Annotated[dict[str, FoldedColumn], pydantic.Field(min_length=1)]
