"""Weights of lists: fields of their own, parallel to the values, of which a spec gives a name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from feature_spec.fields.field import Field, MultiCategoricalField, VectorField
from feature_spec.fields.values import finite_vector, is_missing, list_elements
from feature_spec.names import name_problem
from feature_spec.strict_model import Problem


def with_list_weights(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return fields with the weights of lists behind them; a name that is taken stays as it is."""
    made = {
        field.weights: VectorField(
            kind="vector",
            side=field.side,
            table=field.table,
            dimension=field.max_length,
            separator=field.separator,
            weights_of=name,
        )
        for name, field in fields.items()
        if isinstance(field, MultiCategoricalField) and field.weights is not None
    }
    return {**fields, **{name: field for name, field in made.items() if name not in fields}}


def list_weights_problems(
    name: str, fields: Mapping[str, Field], read_by_histories: Collection[str]
) -> Iterator[Problem]:
    """Yield what is wrong with the weights of a list, and with weights that a spec gives."""
    field = fields[name]
    if isinstance(field, VectorField) and field.weights_of is not None:
        owner = fields.get(field.weights_of)
        if not isinstance(owner, MultiCategoricalField) or owner.weights != name:
            yield Problem(
                ("fields", name, "weights_of"),
                field.weights_of,
                "'weights_of' is never given; name the column in 'weights' of the list",
            )
    if not isinstance(field, MultiCategoricalField) or field.weights is None:
        return
    place = ("fields", name, "weights")
    made = fields.get(field.weights)
    if not isinstance(made, VectorField) or made.weights_of != name:
        yield Problem(
            place,
            field.weights,
            "another field has this name, by which requests carry the weights; name a column of "
            "this list's own",
        )
    elif (problem := name_problem("fields", field.weights)) is not None:
        yield Problem(place, field.weights, problem)
    if name in read_by_histories:
        yield Problem(
            place, field.weights, "'histories' read this field, and keep no weights of past values"
        )


def aligned_weights(
    field: str,
    values: Any,
    weights: Any,
    *,
    length: int,
    separator: str,
    missing: Collection[str],
) -> list[float]:
    """Return the weights of the values that are not missing, `length` of them, padded with 0.

    Args:
        field: the name of the list, for messages.
        values: the values, a list or text.
        weights: the weights, a list, an array or text.
        length: the number of values that are kept.
        separator: splits texts.
        missing: the texts of missing values.

    Raises:
        ValueError: there are more or fewer weights than values, or one is no number from 0.
    """
    present = kept_values(values, separator, missing)
    try:
        numbers = _numbers_from_0(weights, len(present), separator)
    except ValueError as error:
        raise ValueError(f"weights of {field}, which has {len(present)} values: {error}") from error
    kept = [number for number, is_kept in zip(numbers, present, strict=True) if is_kept][:length]
    return kept + [0.0] * (length - len(kept))


def _numbers_from_0(weights: Any, count: int, separator: str) -> list[float]:
    numbers = finite_vector(weights, count, separator)
    for position, number in enumerate(numbers):
        if number < 0:
            raise ValueError(
                f"value {position + 1} of {count}: a number of at least 0 is needed; received "
                f"{number:g}"
            )
    return numbers


def kept_values(values: Any, separator: str, missing: Collection[str]) -> list[bool]:
    """Return for each value of a list whether it is there."""
    if getattr(values, "ndim", None) == 1:
        values = list(values)  # an array
    if is_missing(values, missing):
        return []
    return [not is_missing(element, missing) for element in list_elements(values, separator)]


def without_padding(weights: Any, values: int, length: int) -> Any:
    """Return weights of examples and tables, which are cut or padded with 0, as long as values."""
    if isinstance(weights, str) or not hasattr(weights, "__len__") or len(weights) != length:
        return weights
    if values > length:
        return [*weights, *[0.0] * (values - length)]
    padding = list(weights[values:])
    return weights[:values] if all(weight == 0 for weight in padding) else weights
