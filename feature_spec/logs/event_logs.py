"""Event logs: what was shown and what users did as separate streams."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import pydantic
from pydantic import PositiveFloat, field_validator, model_validator

from feature_spec.logs.source import Source
from feature_spec.strict_model import StrictModel


class EventTime(StrictModel):
    """When an exposure happened.

    Attributes:
        column: the column that holds it: a number since the Unix epoch, or text when `unit` is a
            date unit.
        unit: `s`, `ms` or `us` since the Unix epoch; `iso8601` text; or `yyyymmdd`, a day.
        timezone: IANA name of the zone in which days begin, and of times that do not name one.
    """

    column: str
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
    """A column that impressions get from their actions of one kind.

    Attributes:
        action: the kind of action.
        fold: what several actions come to: `any`, 1 if there is one, else 0; `count`, how many
            there are; `sum` of their values, 0 without any; `maximum` of their values, missing
            without any.
        value: the column of the actions with the values; for `sum` and `maximum`.
    """

    action: str
    fold: Literal["any", "count", "sum", "maximum"]
    value: str | None = None

    @model_validator(mode="after")
    def _values_are_folded(self) -> Self:
        if (self.fold in ("sum", "maximum")) != (self.value is not None):
            raise ValueError(
                f"'value' belongs to the folds 'sum' and 'maximum', received fold {self.fold!r} and value {self.value!r}"
            )
        return self


class Impressions(Source):
    """The log of what was shown: one line an impression, with the columns of `keys`.

    Attributes:
        event_id: the column that identifies an impression. Several with one id are one. By default,
            equal lines are.
    """

    event_id: str | None = None


class Actions(Source):
    """The log of what users did: one line an action, with the columns of `keys` by which it is joined.

    Attributes:
        event_id: the column that identifies an action. Several with one id are one. By default,
            equal lines are.
        kind: the column with the action's kind, such as `click`.
        event_time: when it happened.
        join_by: an action belongs to the latest impression before it of its item: in its `request`,
            or to its `user`.
        window_s: how long after its impression an action counts.
        folds: what impressions get from their actions, by column; it takes the place of their own
            column of that name.
    """

    event_id: str | None = None
    kind: str
    event_time: EventTime
    join_by: Literal["request", "user"] = "request"
    window_s: PositiveFloat
    folds: Annotated[dict[str, FoldedColumn], pydantic.Field(min_length=1)]
