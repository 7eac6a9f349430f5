"""Fields whose values make groups of examples, in training and in the served graph alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from feature_spec.fields.field import Field, has_a_row
from feature_spec.strict_model import Problem, closest_names
from feature_spec.tasks.task import Task


def grouping_problems(
    place: tuple[str, ...], name: str, fields: Mapping[str, Field]
) -> Iterable[Problem]:
    """Yield a problem if a field has no row of its own for each value of an example.

    Args:
        place: the place of the name in the spec.
        name: the name of the field.
        fields: all fields by name.
    """
    valid = [other for other, field in fields.items() if has_a_row(field)]
    if name not in valid:
        yield Problem(
            place,
            name,
            "no such categorical field, or numeric one with 'transform: quantiles': "
            f"{closest_names(name, valid)}",
        )


def label_group_problems(
    tasks: Mapping[str, Task], fields: Mapping[str, Field]
) -> Iterable[Problem]:
    """Yield the tasks whose labels are to be quantiles within groups that no field makes."""
    for name, task in tasks.items():
        if task.quantile_within is not None:
            place = ("tasks", name, "quantile_within")
            yield from grouping_problems(place, task.quantile_within, fields)
