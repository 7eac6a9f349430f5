"""The histories that candidates attend to, rather than read as means of lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from feature_spec.fields.field import (
    Field,
    MultiCategoricalField,
    Pooling,
    SequenceField,
    has_a_row,
)
from feature_spec.histories.histories import Histories
from feature_spec.strict_model import Problem, closest_names


class AttendedHistory(NamedTuple):
    """Aligned lists of the user or the context, which make the entries of one history.

    Attributes:
        name: the name of the history in `histories.sequences`, or of a written sequence.
        values: the lists, each with the field whose rows it shares.
        marks: the lists of what entries have and candidates have not: age and feedback.
        pooling: `dot_product` or `activation_unit`.
        heads: the number of heads of `dot_product`.
        search_by: the list of `values` that chooses the entries of each candidate; None for all.
    """

    name: str
    values: dict[str, str]
    marks: list[str]
    pooling: Pooling
    heads: int
    search_by: str | None

    @property
    def columns(self) -> list[str]:
        """All lists, which are aligned."""
        return [*self.values, *self.marks]


def attended_histories(
    fields: Mapping[str, Field], histories: Histories | None
) -> list[AttendedHistory]:
    """Return the histories that candidates attend to, in the order of their first fields.

    Args:
        fields: the fields of a spec, also those of its histories.
        histories: the histories of the spec.
    """
    sequences = histories.sequences if histories else {}
    found: dict[str, AttendedHistory] = {}
    for name, field in fields.items():
        if field.history in sequences:
            sequence = sequences[field.history]
            if sequence.pooling == "mean":
                continue
            attended = found.setdefault(
                field.history,
                AttendedHistory(field.history, {}, [], sequence.pooling, sequence.heads, None),
            )
            if not isinstance(field, SequenceField):
                attended.marks.append(name)
                continue
            attended.values[name] = field.shares
            if field.shares == sequence.search_by:
                found[field.history] = attended._replace(search_by=name)
        elif isinstance(field, SequenceField) and field.pooling != "mean":
            found[name] = AttendedHistory(
                name, {name: field.shares}, [], field.pooling, field.heads, None
            )
    return list(found.values())


def model_inputs(fields: Mapping[str, Field], histories: Histories | None) -> dict[str, bool]:
    """Return what a model reads by name: fields, and attended histories in place of their lists.

    The values tell whether it is a field with rows of an embedding table. Fields that only training
    has stand beside the model, not in its input.

    Args:
        fields: the fields of a spec, also those of its histories.
        histories: the histories of the spec.
    """
    attended = attended_histories(fields, histories)
    lists = {column for history in attended for column in history.columns}
    embedded = {
        name: has_a_row(field) or isinstance(field, MultiCategoricalField | SequenceField)
        for name, field in fields.items()
        if name not in lists and field.training_only is None
    }
    return embedded | dict.fromkeys((history.name for history in attended), False)


def attention_problems(
    fields: Mapping[str, Field], histories: Histories | None
) -> Iterator[Problem]:
    """Find sequences that no candidate can attend to."""
    for name, sequence in (histories.sequences if histories else {}).items():
        other = fields.get(name)
        if isinstance(other, SequenceField) and "mean" not in (sequence.pooling, other.pooling):
            yield Problem(
                ("histories", "sequences", name), name, "a sequence of the fields has the same name"
            )
    of_items = [name for name, field in fields.items() if field.side == "item"]
    for attended in attended_histories(fields, histories):
        name, shared = attended.name, list(attended.values.values())
        is_written = name in attended.values
        place = ("fields", name) if is_written else ("histories", "sequences", name)
        if is_written and fields[name].side == "item":
            yield Problem(
                (*place, "pooling"),
                attended.pooling,
                "a candidate attends to sequences of the user or the context; give 'mean'",
            )
        elif fields.keys() >= set(shared) and not set(shared) & set(of_items):
            yield Problem(
                (*place, "shares" if is_written else "fields"),
                shared[0] if is_written else shared,
                f"pooling {attended.pooling!r} compares a candidate with the past, and needs an "
                f"item field: {closest_names(shared[0], of_items)}; or give pooling 'mean'",
            )
