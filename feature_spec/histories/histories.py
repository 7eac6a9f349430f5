"""The section `histories` of a spec: counts and sequences made from the log itself.

What is known of a key at an exposure at time t is what happened before a cutoff: `known_after_s`
before t, or the begin of t's day. Ingestion computes it point in time; a history store computes the
same while serving.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import PositiveFloat, model_validator

from feature_spec.fields.field import Pooling
from feature_spec.logs.event_logs import EventTime
from feature_spec.names import is_usable
from feature_spec.strict_model import PositiveInt, StrictModel, Text
from feature_spec.tasks.label_rule import SampleSpace

# The settings that the model reads, and neither ingestion nor a state: for pydantic's `exclude`.
READ_BY_MODEL: dict[str, Any] = {
    "counts": {"__all__": {"smoothing"}},
    "sequences": {"__all__": {"pooling", "heads", "search_by"}},
}
# Times are 64-bit integers of microseconds.
_Seconds = Annotated[float, pydantic.Field(ge=0.0, le=1e11)]
_WindowSeconds = Annotated[int, pydantic.Field(gt=0, le=10**11)]


def _checked_name(name: str) -> str:
    if not is_usable(name):
        raise ValueError("give a letter from a to z, then letters, digits and underscores")
    return name


HistoryName = Annotated[str, pydantic.AfterValidator(_checked_name)]


class HistoryCount(StrictModel):
    """Counts of the earlier exposures of a key, and the feedback that they got.

    Attributes:
        by: the fields whose values make the key; of a list, the first value counts.
        tasks: the tasks whose labels are summed. Defaults to all.
        windows_s: counts what happened in the last seconds before the cutoff, a group of fields for
            each window; without windows, everything before the cutoff counts.
        smoothing: α of the rate (positives + α·p₀) / (exposures + α), where p₀ is the rate of all.
    """

    by: Annotated[list[Text], pydantic.Field(min_length=1)]
    tasks: Annotated[list[str], pydantic.Field(min_length=1)] | None = None
    windows_s: list[_WindowSeconds] = []
    smoothing: PositiveFloat = 20.0

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for setting in ("by", "tasks", "windows_s"):
            values = getattr(self, setting) or []
            if len(set(values)) < len(values):
                raise ValueError(f"{setting!r} names one twice, received {values}")
        return self


class HistorySequence(StrictModel):
    """The last exposures of a key in which an event happened, newest first, as aligned lists.

    Attributes:
        by: the fields of the user and the context whose values make the key.
        where: the exposures that count. Defaults to all.
        fields: the fields whose values the sequence holds; each list shares the rows of its field.
        max_length: the number of exposures kept.
        age: whether a list holds how long ago each exposure was, in powers of two of a second.
        feedback: binary tasks; if given, a list holds which of them each exposure was positive in.
        pooling, heads: as in `SequenceField`.
        search_by: one of `fields`; a candidate attends only to the exposures that share its value.
    """

    by: Annotated[list[Text], pydantic.Field(min_length=1)]
    where: SampleSpace | None = None
    fields: Annotated[list[Text], pydantic.Field(min_length=1)]
    max_length: PositiveInt = 50
    age: bool = True
    feedback: list[str] = []
    pooling: Pooling = "dot_product"
    heads: PositiveInt = 4
    search_by: str | None = None

    @pydantic.field_validator("by", mode="before")
    @classmethod
    def _one_field(cls, by: object) -> object:
        return [by] if isinstance(by, str) else by

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        for setting in ("by", "fields", "feedback"):
            values = getattr(self, setting)
            if len(set(values)) < len(values):
                raise ValueError(f"{setting!r} names one twice, received {values}")
        if self.search_by is not None and self.search_by not in self.fields:
            raise ValueError(
                f"'search_by' is one of 'fields' ({', '.join(self.fields)}), "
                f"received {self.search_by!r}"
            )
        if self.search_by is not None and self.pooling == "mean":
            raise ValueError("'search_by' needs a pooling that looks at the candidate, not 'mean'")
        return self


class Histories(StrictModel):
    """Fields that ingestion makes of what happened before each exposure.

    Attributes:
        known_after_s: feedback counts so many seconds after it happened (or arrived), or up to a
            64th (at least a second) more, since the cutoff moves in steps. Either this or
            `refresh`.
        refresh: `day`: what happened before the exposure's day began counts.
        arrival_time: the column of the log of exposures with the time at which a line arrived. It
            then counts from that time instead of the event's.
        warm_up_days: the number of first days of the log that are read, but not trained on, because
            little is known of them.
        counts: counts and rates by name.
        sequences: sequences by name.
    """

    known_after_s: _Seconds | None = None
    refresh: Literal["day"] | None = None
    arrival_time: EventTime | None = None
    warm_up_days: Annotated[int, pydantic.Field(ge=0, le=36_500)] = 0
    counts: dict[HistoryName, HistoryCount] = {}
    sequences: dict[HistoryName, HistorySequence] = {}

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        if (self.known_after_s is None) == (self.refresh is None):
            raise ValueError("needs either 'known_after_s' or 'refresh'")
        if not self.counts and not self.sequences:
            raise ValueError("needs 'counts' or 'sequences'")
        return self

    @property
    def fields_read(self) -> set[str]:
        """The fields that make keys, or whose values sequences list."""
        by = {name for count in self.counts.values() for name in count.by}
        return by | {name for last in self.sequences.values() for name in (*last.by, *last.fields)}

    def ingested(self) -> Histories:
        """Return the histories without the settings that only the model reads."""
        return Histories.model_validate(self.model_dump(exclude=READ_BY_MODEL))
