"""Label rules: the closed set of ways in which a task's label follows from the columns of an exposure."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import PositiveFloat

from feature_spec.strict_model import StrictModel


class EventRule(StrictModel):
    """1 where an event happened, else 0.

    Attributes:
        column: the event's column: a flag (0/1, true/false) or a count. The event happened where it
            is above 0, and did not where it is missing.
        equals: where given, the event happened if the column holds one of these texts.
    """

    rule: Literal["event"]
    column: str
    equals: list[str] | None = None


class AtLeastRule(StrictModel):
    """1 where a column is at least `threshold`, else 0. A row without the column lies outside the task's sample space."""

    rule: Literal["at_least"]
    column: str
    threshold: float


class RatioRule(StrictModel):
    """`numerator` / `denominator`, clipped to [0, `clip`].

    A row without either, or whose denominator is 0, lies outside the task's sample space.
    Both columns hold quantities: a negative one makes the record a rejected one.
    """

    rule: Literal["ratio"]
    numerator: str
    denominator: str
    clip: PositiveFloat


class ColumnRule(StrictModel):
    """A column as it is. A row without it lies outside the task's sample space."""

    rule: Literal["column"]
    column: str


LabelRule = Annotated[
    EventRule | AtLeastRule | RatioRule | ColumnRule, pydantic.Field(discriminator="rule")
]


class SampleSpace(StrictModel):
    """Limits a task to the exposures in which an event happened, such as plays for shares (PLE, section 4.3).

    Attributes:
        event: the event's column, read as `EventRule.column` is.
        equals: where given, the event happened if the column holds one of these texts.
    """

    event: str
    equals: list[str] | None = None
