"""What a history store is: features of a request at a time, and events that change them."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from feature_spec.logs.logs import RejectionReason
from serving.histories.history_event import HistoryEvent

if TYPE_CHECKING:
    import numpy as np

    from feature_spec.logs.log_values import UnusableLineError

_DETAILS = 5


class HistoryStoreError(Exception):
    """A history store cannot be used: it is down, full, of another spec, or was asked too late."""


@dataclass(frozen=True, kw_only=True)
class HistoryValues:
    """The fields of the histories of one request, named as in the spec.

    Attributes:
        user: the values of the user's fields: numbers, or lists of texts; None where missing.
        context: the values of the context's fields, likewise.
        items: the numbers of the candidates' fields, float32 (C,); NaN where missing.
        newest_us: the time of the newest event that the store knew, in microseconds since the Unix
            epoch; 0 if there was none.
    """

    user: Mapping[str, Any]
    context: Mapping[str, Any]
    items: Mapping[str, np.ndarray]
    newest_us: int

    def candidate(self, position: int) -> dict[str, float | None]:
        """Return the values of one candidate by field; None where missing."""
        numbers = {name: float(column[position]) for name, column in self.items.items()}
        # NaN is the one number that differs from itself.
        return {name: None if value != value else value for name, value in numbers.items()}  # noqa: PLR0124


@dataclass(kw_only=True)
class RecordCounts:
    """What became of events: all = recorded + repeated + filtered + the sum of `rejected`.

    Attributes:
        recorded: the events that the store has taken.
        repeated: the events that it knew before, by their ids.
        filtered: the lines of files that `where` of the spec leaves out.
        rejected: the events that it cannot use, by reason.
        details: what was wrong with the first of them.
    """

    recorded: int = 0
    repeated: int = 0
    filtered: int = 0
    rejected: collections.Counter[RejectionReason] = field(default_factory=collections.Counter)
    details: list[str] = field(default_factory=list)

    @property
    def all(self) -> int:
        """The number of events."""
        return self.recorded + self.repeated + self.filtered + self.rejected.total()

    def reject(self, error: UnusableLineError, place: str = "") -> None:
        """Count an event that cannot be used; its place, if any, is told."""
        self.rejected[error.reason] += 1
        detail = f"{error.reason}: {f'{place}: ' if place else ''}{error.detail}"
        self.details = [*self.details, detail][:_DETAILS]

    def add(self, other: RecordCounts) -> None:
        """Add other counts."""
        self.recorded += other.recorded
        self.repeated += other.repeated
        self.filtered += other.filtered
        self.rejected += other.rejected
        self.details = [*self.details, *other.details][:_DETAILS]


class HistoryStore(Protocol):
    """A store of histories. It may be used by many threads."""

    def features(
        self,
        user: Mapping[str, Any],
        context: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]],
        at_us: int,
    ) -> HistoryValues:
        """Return the fields of the histories of a request, as ingestion makes them of logs.

        Args:
            user: the user's fields by name, of which the keys of histories are made.
            context: the fields of the context by name.
            candidates: the fields of each candidate by name.
            at_us: the time of the request, in microseconds since the Unix epoch.

        Raises:
            HistoryStoreError: the store cannot be used, or knows nothing exact of that time.
            ValueError: a value of a key is not valid.
        """

    def record(self, event: HistoryEvent) -> bool:
        """Add an event, and return whether it was new; an id counts once.

        Raises:
            UnusableLineError: ingestion would reject such a line.
            HistoryStoreError: the store cannot be used. Whether it has the event is not known:
                record it again.
        """

    def record_all(self, events: Iterable[HistoryEvent]) -> RecordCounts:
        """Add events, many at a time, and count them; what cannot be used is counted, too.

        Raises:
            HistoryStoreError: the store cannot be used. Record all events again.
        """

    def close(self) -> None:
        """Release files and connections."""
