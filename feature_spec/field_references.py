"""What a field of a spec says of other parts of the spec, and that is not so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from feature_spec.fields.field import (
    Field,
    NumericField,
    SequenceField,
    has_a_row,
    rate_problems,
    time_part,
)
from feature_spec.fields.list_weights import list_weights_problems
from feature_spec.fields.time_parts import time_part_problems
from feature_spec.histories.histories import Histories
from feature_spec.logs.logs import Keys
from feature_spec.strict_model import Problem, closest_names


def field_problems(
    fields: Mapping[str, Field],
    *,
    tables: Collection[str],
    keys: Keys,
    histories: Histories | None,
) -> Iterator[Problem]:
    """Yield what fields refer to and that is not there or does not fit.

    Args:
        fields: all fields by name.
        tables: the names of the side tables.
        keys: the columns that identify an exposure.
        histories: the histories of the spec.
    """
    for name, field in fields.items():
        if field.table is not None and field.table not in tables:
            yield Problem(
                ("fields", name, "table"),
                field.table,
                f"no such side table: {closest_names(field.table, tables)}",
            )
        if field.history is not None and (
            histories is None or field.history not in histories.counts | histories.sequences
        ):
            yield Problem(
                ("fields", name, "history"),
                field.history,
                "'history' is never given; describe the history in 'histories'",
            )
        if (part := time_part(field)) is not None:
            unit = keys.event_time.unit if keys.event_time is not None else None
            is_read = histories is not None and name in histories.fields_read
            yield from time_part_problems(name, part, unit, is_in_histories=is_read)
        if isinstance(field, NumericField) and field.is_rate:
            yield from rate_problems(name, field, fields)
        if isinstance(field, SequenceField):
            yield from _sequence_problems(name, field, fields)
        read = histories.fields_read if histories is not None else ()
        yield from list_weights_problems(name, fields, read)
        if field.training_only is not None:
            yield from _training_only_problems(name, field, fields, histories)


def _sequence_problems(
    name: str, field: SequenceField, fields: Mapping[str, Field]
) -> Iterator[Problem]:
    kinds = ("categorical",) if field.history is None else ("categorical", "multi_categorical")
    sharable = [other for other, kind in fields.items() if kind.kind in kinds]
    if field.shares not in sharable:
        yield Problem(
            ("fields", name, "shares"),
            field.shares,
            f"no such categorical field: {closest_names(field.shares, sharable)}",
        )


def _training_only_problems(
    name: str, field: Field, fields: Mapping[str, Field], histories: Histories | None
) -> Iterator[Problem]:
    def found(reason: str) -> Problem:
        return Problem(("fields", name, "training_only"), name, reason)

    if not has_a_row(field):
        yield found(
            "needs kind 'categorical', or 'numeric' with transform 'quantiles', whose missing "
            f"value has a row of its own; received kind {field.kind!r}"
        )
    elif getattr(field, "default", None) is not None:
        yield found("goes without 'default': a request never has a value, which must be unknown")
    if field.table is not None or time_part(field) is not None:
        yield found("needs a column of the log: what tables and times tell, requests know, too")
    if histories is not None and name in histories.fields_read:
        yield found("'histories' read this field, which no request carries")
    readers = [
        other
        for other, kind in fields.items()
        if name in (getattr(kind, "shares", None), getattr(kind, "of", None))
    ]
    if readers:
        yield found(f"{', '.join(readers)} reads this field, which no request carries")
