"""Label rules: how a task's label and sample space follow from the columns of an exposure.

A rule is one class: its settings, the columns that it reads, the kinds of task that it fits, its
words, and its labels as NumPy arrays, where N is the number of exposures in a batch. To add a kind
of rule, add its class here and to `LabelRule`; ingestion, checks and tables follow. Only the
computation of labels imports NumPy.
"""

from __future__ import annotations

import typing
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol

import pydantic

from feature_spec.strict_model import (
    PositiveFloat32,
    StrictModel,
    Text,
    Value,
    Values,
    values_text,
)

if TYPE_CHECKING:
    import numpy as np

TaskKind = Literal["binary", "regression"]


class ExposureColumns(Protocol):
    """Columns of a batch of exposures, as ingestion reads them.

    An exposure with a value that cannot be read, or that lies out of bounds, is rejected.
    """

    def numbers(
        self, column: str, *, minimum: float | None = None, maximum: float | None = None
    ) -> np.ndarray:
        """Return a column's numbers, float64 (N,); NaN where missing."""

    def events(self, column: str, equals: list[Value] | None = None) -> np.ndarray:
        """Return where an event happened, bool (N,).

        Args:
            column: a flag (0/1, true/false) or a count; the event happened where it is above 0, and
                did not where it is missing.
            equals: where given, the event happened if the column holds one of these values.
        """


class BaseRule(StrictModel):
    """The interface of every label rule.

    Attributes:
        task_kinds: the kinds of task that the rule can label.
        column_settings: the settings that name a column.
        rule: the rule's name in the spec.
    """

    task_kinds: ClassVar[tuple[TaskKind, ...]]
    column_settings: ClassVar[tuple[str, ...]] = ("column",)
    rule: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the rule reads, by the setting that names each."""
        return {setting: getattr(self, setting) for setting in self.column_settings}

    @property
    @abstractmethod
    def text(self) -> str:
        """The rule in words, such as ``play_s ≥ 5``."""

    @abstractmethod
    def labels(self, exposures: ExposureColumns, task_kind: TaskKind) -> np.ndarray:
        """Return the labels of a batch, float64 (N,); NaN outside the task's sample space."""


class EventRule(BaseRule):
    """Labels an exposure 1 if an event happened, else 0.

    Attributes:
        column: the event's column: a flag (0/1, true/false) or a count. The event happened where it
            is above 0, and did not where it is missing.
        equals: where given, the event happened if the column holds one of these values: texts, or
            numbers and truth values in any spelling.
    """

    task_kinds = ("binary",)
    rule: Literal["event"]
    column: Text
    equals: Values | None = None

    @property
    def text(self) -> str:
        return _event_text(self.column, self.equals)

    def labels(self, exposures: ExposureColumns, task_kind: TaskKind) -> np.ndarray:
        return exposures.events(self.column, self.equals).astype("float64")


class AtLeastRule(BaseRule):
    """Labels an exposure 1 if a column is at least `threshold`, else 0.

    An exposure without the column lies outside the task's sample space.
    """

    task_kinds = ("binary",)
    rule: Literal["at_least"]
    column: Text
    threshold: float

    @property
    def text(self) -> str:
        return f"{self.column} ≥ {self.threshold:g}"

    def labels(self, exposures: ExposureColumns, task_kind: TaskKind) -> np.ndarray:
        import numpy as np

        numbers = exposures.numbers(self.column)
        return np.where(np.isnan(numbers), np.nan, numbers >= self.threshold)


class RatioRule(BaseRule):
    """Labels an exposure with `numerator` / `denominator`, clipped to [0, `clip`].

    An exposure without either, or with a denominator of 0, lies outside the task's sample space.
    Both columns hold quantities, so an exposure with a negative one is rejected.
    """

    task_kinds = ("regression",)
    column_settings = ("numerator", "denominator")
    rule: Literal["ratio"]
    numerator: Text
    denominator: Text
    clip: PositiveFloat32

    @property
    def text(self) -> str:
        return f"{self.numerator} / {self.denominator}, at most {self.clip:g}"

    def labels(self, exposures: ExposureColumns, task_kind: TaskKind) -> np.ndarray:
        import numpy as np

        above = exposures.numbers(self.numerator, minimum=0.0)
        below = exposures.numbers(self.denominator, minimum=0.0)
        # A tiny denominator may take the ratio to infinity, which the clip takes back.
        with np.errstate(over="ignore"):
            return np.minimum(above / np.where(below == 0.0, np.nan, below), self.clip)


class ColumnRule(BaseRule):
    """Labels an exposure with a column's number, from 0 to 1 in a binary task.

    An exposure without the column lies outside the task's sample space.
    """

    task_kinds = ("binary", "regression")
    rule: Literal["column"]
    column: Text

    @property
    def text(self) -> str:
        return self.column

    def labels(self, exposures: ExposureColumns, task_kind: TaskKind) -> np.ndarray:
        if task_kind == "binary":
            return exposures.numbers(self.column, minimum=0.0, maximum=1.0)
        return exposures.numbers(self.column)


LabelRule = Annotated[
    EventRule | AtLeastRule | RatioRule | ColumnRule, pydantic.Field(discriminator="rule")
]


def label_rules() -> tuple[type[BaseRule], ...]:
    """Return the classes of all label rules, in the order of `LabelRule`."""
    return typing.get_args(typing.get_args(LabelRule)[0])


class SampleSpace(StrictModel):
    """Limits a task to the exposures in which an event happened (PLE, section 4.3).

    For example, a video can only be shared when it was played.

    Attributes:
        event: the event's column, read as `EventRule.column` is.
        equals: where given, the event happened if the column holds one of these values.
    """

    event: Text
    equals: Values | None = None

    @property
    def text(self) -> str:
        """The sample space in words, such as ``scenario in click``."""
        return _event_text(self.event, self.equals)


def _event_text(column: str, equals: list[Value] | None) -> str:
    return column + (f" in {values_text(equals)}" if equals else "")
