"""A request's values as the model sees them: UTF-8 text, lists of it, and numbers, read as ingestion reads those of logs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from feature_spec.fields.field import BaseField, MultiCategoricalField, NumericField, SequenceField
from feature_spec.fields.values import category_text, finite_number, is_missing, list_elements
from feature_spec.spec import FeatureSpec

MISSING_TEXT, MISSING_NUMBER = b"", float("nan")
FLOAT32_MAX = 3.4028234663852886e38


def value_reader(spec: FeatureSpec, field: BaseField) -> Callable[[Any], Any]:
    """What reads a value of the field: `_text`, `_texts` or `_number`, each raising ValueError for a value it cannot be."""
    missing = spec.logs.missing_values
    if isinstance(field, NumericField):
        return partial(_number, field, missing)
    if isinstance(field, MultiCategoricalField | SequenceField):
        return partial(_texts, field, missing)
    return partial(_text, missing)


def _text(missing: Collection[str], value: Any) -> bytes:
    """A category's text in UTF-8, `MISSING_TEXT` for a missing one."""
    if is_missing(value, missing):
        return MISSING_TEXT
    try:
        return category_text(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"valid Unicode text is needed; received {value!r}") from None


def _texts(
    field: MultiCategoricalField | SequenceField, missing: Collection[str], value: Any
) -> list[bytes]:
    """The texts of a list without the missing ones, at most `max_length`; an empty list for a missing value."""
    if is_missing(value, missing):
        return []
    texts = (_text(missing, element) for element in list_elements(value, field.separator))
    return [text for text in texts if text != MISSING_TEXT][: field.max_length]


def _number(field: NumericField, missing: Collection[str], value: Any) -> float:
    """A number within the field's bounds, `MISSING_NUMBER` for a missing one."""
    if is_missing(value, missing):
        return MISSING_NUMBER
    number = finite_number(value)
    minimum = -FLOAT32_MAX if field.minimum is None else field.minimum
    maximum = FLOAT32_MAX if field.maximum is None else field.maximum
    if not minimum <= number <= maximum:
        raise ValueError(f"a number from {minimum:g} to {maximum:g} is needed; received {value!r}")
    return number
