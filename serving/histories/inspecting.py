"""What a store knows of some keys, for people: counts, rates, sequences and how fresh they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feature_spec.histories.history_fields import AGE
from feature_spec.histories.history_values import age_text
from feature_spec.spec import FeatureSpec
from serving.histories.keyed_store import KeyedHistoryStore

_SECOND_US = 1_000_000


@dataclass(frozen=True, kw_only=True)
class KnownCount:
    """A count of a key within a window.

    Attributes:
        name: the count, with its window if it has one.
        key: the values of its key.
        shown: the exposures.
        sums: the sum of labels by task.
        rates: the sum over the exposures with a label, by task; None without one.
    """

    name: str
    key: str
    shown: float
    sums: dict[str, float]
    rates: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class KnownSequence:
    """A sequence of a key.

    Attributes:
        name: the sequence.
        key: the values of its key.
        entries: the values by part, the newest first.
    """

    name: str
    key: str
    entries: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a store knows.

    Attributes:
        place: the place of the store.
        at_us: the time as of which it was asked, in microseconds since the Unix epoch.
        newest_us: the time of the newest event; 0 if there is none.
        until_us: the latest time of the published state; None if none was published.
        exposures: the number of exposures in the published state.
        exact_from_us: the earliest time of a request whose features are exact.
        counts: the counts whose keys were given.
        sequences: the sequences whose keys were given.
    """

    place: str
    at_us: int
    newest_us: int
    until_us: int | None
    exposures: int
    exact_from_us: int
    counts: list[KnownCount]
    sequences: list[KnownSequence]

    @property
    def age_s(self) -> float | None:
        """The seconds between the newest event and the time asked for; None without an event."""
        return (self.at_us - self.newest_us) / _SECOND_US if self.newest_us else None


def inspect_store(store: KeyedHistoryStore, values: Mapping[str, Any], at_us: int) -> Inspection:
    """Ask a store for all histories whose keys are given.

    Args:
        store: the store.
        values: values of fields by name.
        at_us: the time, in microseconds since the Unix epoch.

    Raises:
        HistoryStoreError: the store cannot be used.
        ValueError: there is no such field, or a value is not valid.
    """
    sides = _by_side(store.spec, values)
    found = store.features(sides["user"], sides["context"], [sides["item"]], at_us)
    numbers = {**found.user, **found.context, **found.candidate(0)}
    counts = [
        KnownCount(
            name=columns.shown.removesuffix("_shown"),
            key=_key_text(count.by, values),
            shown=numbers[columns.shown],
            sums={task: numbers[column] for task, column in columns.sums.items()},
            rates={
                task: numbers[column] / numbers[columns.seen[task]]
                if numbers[columns.seen[task]]
                else None
                for task, column in columns.sums.items()
            },
        )
        for count in store.counts
        for columns in count.columns
        if numbers[columns.shown] is not None
    ]
    sequences = []
    for sequence in store.sequences:
        if all(name in values for name in sequence.by):
            lists = {part: numbers[column] for part, column in sequence.columns.items()}
            rows = zip(*lists.values(), strict=True)
            entries = [dict(zip(lists, row, strict=True)) for row in rows]
            key = _key_text(sequence.by, values)
            sequences.append(KnownSequence(name=sequence.name, key=key, entries=entries))
    description = store.description
    return Inspection(
        place=store.place,
        at_us=at_us,
        newest_us=found.newest_us,
        until_us=description.until_us,
        exposures=description.exposures,
        exact_from_us=description.exact_from_us,
        counts=counts,
        sequences=sequences,
    )


def parts_shown(entry: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of an entry as texts for a table."""
    return {part: age_text(text) if part == AGE else text for part, text in entry.items()}


def _by_side(spec: FeatureSpec, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    sides: dict[str, dict[str, Any]] = {"user": {}, "context": {}, "item": {}}
    for name, value in values.items():
        if name not in spec.fields or spec.fields[name].history is not None:
            given = [name for name, field in spec.fields.items() if field.history is None]
            raise ValueError(f"no such field: {name}; the spec has {', '.join(given)}")
        sides[spec.fields[name].side][name] = value
    return sides


def _key_text(by: tuple[str, ...], values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in by)
