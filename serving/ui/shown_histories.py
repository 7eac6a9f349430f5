"""The histories of a request as the page shows them: counts as numbers, sequences as lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from feature_spec.histories.history_fields import (
    AGE,
    SHOWN,
    CountColumns,
    count_columns,
    sequence_columns,
)
from feature_spec.histories.history_values import age_text
from feature_spec.spec import FeatureSpec
from serving.client.types import FieldValue


def given_fields(spec: FeatureSpec, fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return the fields that no history makes."""
    made = {name for name, field in spec.fields.items() if field.history is not None}
    return {name: value for name, value in fields.items() if name not in made}


def shown_counts(spec: FeatureSpec, fields: Mapping[str, FieldValue]) -> dict[str, str]:
    """Return the counts among the fields of a user or a candidate as texts, by name and window.

    A text is such as ``12 shown, click 3``; where labels can lack, ``like 1 of 9``.
    """
    counts = spec.histories.counts if spec.histories is not None else {}
    return {
        columns.shown.removesuffix(f"_{SHOWN}"): ", ".join(_count_texts(columns, fields))
        for name, count in counts.items()
        for columns in count_columns(name, count, spec.tasks)
        if columns.shown in fields
    }


def shown_sequences(spec: FeatureSpec, fields: Mapping[str, FieldValue]) -> list[dict[str, Any]]:
    """Return the sequences among the fields of a user, as `name`, `columns` and `rows`.

    A row is an earlier exposure, the newest first; an age is a span such as ``34–68 min``.
    """
    shown = []
    sequences = spec.histories.sequences if spec.histories is not None else {}
    for name, sequence in sequences.items():
        columns = sequence_columns(name, sequence)
        if not fields.keys() & set(columns.values()):
            continue
        lists = [_listed(part, fields.get(column)) for part, column in columns.items()]
        rows = [list(row) for row in zip_longest(*lists, fillvalue="")]
        shown.append({"name": name, "columns": list(columns), "rows": rows})
    return shown


def _count_texts(columns: CountColumns, fields: Mapping[str, FieldValue]) -> Iterator[str]:
    shown = fields[columns.shown]
    if shown is None:
        yield "–"
        return
    yield f"{shown:g} shown"
    for task, total in columns.sums.items():
        seen = columns.seen[task]
        of = f" of {_number(fields.get(seen))}" if seen != columns.shown else ""
        yield f"{task} {_number(fields.get(total))}{of}"


def _number(value: FieldValue) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "–"


def _listed(part: str, value: FieldValue) -> list[str]:
    values = value if isinstance(value, list | tuple) else []
    texts = ["" if one is None else str(one) for one in values]
    return [age_text(text) for text in texts] if part == AGE else texts
