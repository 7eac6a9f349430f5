"""A ranking request as inputs of the `rank` signature, checked against the feature spec.

User and context fields become tensors (1,) or (1, T), item fields (C,) or (C, T): C candidates, and
T the length of the field's longest list in the request, at least 1; vectors (1, d) or (C, d).
Values are read as ingestion reads those of logs: UTF-8 texts, lists of texts, numbers and vectors.
Everything is checked before anything is sent, and all mistakes are reported at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from feature_spec.fields.field import (
    BaseField,
    CategoricalField,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.fields.list_weights import aligned_weights, kept_values, without_padding
from feature_spec.fields.time_parts import part_text
from feature_spec.fields.values import (
    category_text,
    finite_number,
    finite_vector,
    is_missing,
    is_missing_number,
    list_elements,
    plain_value,
)
from feature_spec.formula import weights_in_force
from feature_spec.names import SPEC_FINGERPRINT, weight_name
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from serving.client.tensor_values import float_tensor, text_tensor
from serving.client.types import FieldValue, RankingRequest
from serving.errors import InvalidRequestError

if TYPE_CHECKING:
    import numpy as np

    from serving.histories.store import HistoryValues

    Numbers = Sequence[float] | np.ndarray

MISSING_TEXT, MISSING_NUMBER = b"", float("nan")
FLOAT32_MAX = 3.4028234663852886e38


def value_reader(spec: FeatureSpec, field: BaseField) -> Callable[[Any], Any]:
    """Return the reader of a field's values, which raises ValueError for an invalid value."""
    missing = spec.logs.missing_values
    if isinstance(field, NumericField):
        return partial(_number, field, missing)
    if isinstance(field, VectorField):
        return partial(_vector, field, missing)
    if isinstance(field, MultiCategoricalField | SequenceField):
        return partial(_texts, field, missing)
    return partial(_text, missing)


def _text(missing: Collection[str], value: Any) -> bytes:
    """Return a category as UTF-8 text, or `MISSING_TEXT` if it is missing."""
    if is_missing(value, missing):
        return MISSING_TEXT
    try:
        return category_text(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"valid Unicode text is needed; received {value!r}") from None


def _texts(
    field: MultiCategoricalField | SequenceField, missing: Collection[str], value: Any
) -> list[bytes]:
    """Return the texts of a list, at most `max_length`, without missing ones.

    A missing value is an empty list. Lists of a history are aligned, so there missing texts stay.
    """
    if is_missing(value, missing):
        return []
    if getattr(value, "ndim", None) == 1:
        value = list(value)  # an array
    texts = [_text(missing, element) for element in list_elements(value, field.separator)]
    if field.history is None:
        texts = [text for text in texts if text != MISSING_TEXT]
    return texts[: field.max_length]


def _number(field: NumericField, missing: Collection[str], value: Any) -> float:
    """Return a number within the field's bounds, or `MISSING_NUMBER` if it is missing."""
    if is_missing(value, missing) or (isinstance(value, str) and is_missing_number(value, missing)):
        return MISSING_NUMBER
    number = finite_number(value)
    minimum = -FLOAT32_MAX if field.minimum is None else field.minimum
    maximum = FLOAT32_MAX if field.maximum is None else field.maximum
    if not minimum <= number <= maximum:
        raise ValueError(f"a number from {minimum:g} to {maximum:g} is needed; received {value!r}")
    return number


def _vector(field: VectorField, missing: Collection[str], value: Any) -> list[float]:
    """Return the values of a vector, or as many `MISSING_NUMBER` if it is missing."""
    is_empty = hasattr(value, "__len__") and len(value) == 0
    if is_empty or is_missing(value, missing):
        return [MISSING_NUMBER] * field.dimension
    return finite_vector(value, field.dimension, field.separator)


def _list_weights(
    spec: FeatureSpec, field: VectorField, row: Mapping[str, FieldValue], weights: Any
) -> list[float]:
    """Return the weights of a list of a row, padded with 0, or `MISSING_NUMBER` if missing.

    They may be padded already, as those of examples and side tables are.
    """
    missing, of_list = spec.logs.missing_values, field.weights_of or ""
    if (hasattr(weights, "__len__") and len(weights) == 0) or is_missing(weights, missing):
        return [MISSING_NUMBER] * field.dimension
    values = row.get(of_list)
    count = len(kept_values(values, field.separator, missing))
    given = without_padding(weights, count, field.dimension)
    return aligned_weights(
        of_list,
        values,
        given,
        length=field.dimension,
        separator=field.separator,
        missing=missing,
    )


def request_tensors(
    spec: FeatureSpec, request: RankingRequest, histories: HistoryValues | None = None
) -> dict[str, Any]:
    """Return the inputs of the `rank` signature by name.

    Every field of the spec is among them, missing or not; weights only where the request gives
    them. Parts of the event time are those of the request's time, unless the request gives them.

    Args:
        spec: The feature spec.
        request: The request.
        histories: Fields that the request need not give; where it does, its own values count.

    Raises:
        InvalidRequestError: The request has mistakes; the error lists all of them.
    """
    problems: list[str] = []
    inputs: dict[str, Any] = {SPEC_FINGERPRINT: text_tensor([spec.fingerprint.encode()], [])}
    for side, fields in (("user", request.user), ("context", request.context)):
        known = getattr(histories, side) if histories is not None else {}
        known = {**known, **(_parts_of_time(spec, request) if side == "context" else {})}
        inputs |= _side_tensors(spec, side, {side: {**known, **fields}}, problems)
    if request.candidates:
        candidates = {
            f"candidates[{i}]": candidate.fields for i, candidate in enumerate(request.candidates)
        }
        known = histories.items if histories is not None else {}
        inputs |= _side_tensors(spec, "item", candidates, problems, known)
    else:
        problems.append("candidates: at least one is needed; received none")
    inputs |= _weight_tensors(spec, request.weights, problems)
    if problems:
        raise InvalidRequestError(problems)
    return inputs


def _parts_of_time(spec: FeatureSpec, request: RankingRequest) -> dict[str, str]:
    at_s = time.time() if request.at_s is None else request.at_s
    return {name: part_text(part, at_s, spec.timezone) for name, part in spec.time_fields.items()}


def _side_tensors(
    spec: FeatureSpec,
    side: str,
    rows: Mapping[str, Mapping[str, FieldValue]],
    problems: list[str],
    known: Mapping[str, Numbers] | None = None,
) -> dict[str, Any]:
    """Return a tensor for each field of a side.

    The keys of `rows` are places in the request; their order is that of the batch. `known` has the
    numbers of fields, one for each row, that count where a row does not give the field.
    """
    fields = spec.served.fields_of(side)
    for place, row in rows.items():
        problems += [
            f"{place}.{name}: {_unknown_field(spec, side, str(name))}"
            for name in row
            if name not in fields
        ]
    tensors = {}
    aligned: dict[str, dict[str, list[Any]]] = {}
    given = frozenset[str]().union(*rows.values())
    known = known or {}
    for name, field in fields.items():
        numbers = known.get(name)
        if name not in given:
            tensors[name] = _tensor_of_none(field, len(rows), numbers)
            continue
        read = value_reader(spec, field)
        values = []
        for position, (place, row) in enumerate(rows.items()):
            if numbers is not None and name not in row:
                values.append(numbers[position])
                continue
            try:
                value = row.get(name)
                values.append(
                    _list_weights(spec, field, row, value)
                    if isinstance(field, VectorField) and field.weights_of is not None
                    else read(value)
                )
            except ValueError as error:
                problems.append(f"{place}.{name}: {error}")
        if len(values) == len(rows):
            tensors[name] = _tensor(field, values)
            if field.history is not None and not isinstance(field, NumericField):
                aligned.setdefault(field.history, {})[name] = values
    for history, lists in aligned.items():
        problems += _unaligned(history, list(rows), lists)
    return tensors


def _unaligned(
    history: str, places: Sequence[str], lists: Mapping[str, Sequence[Sequence[bytes]]]
) -> Iterator[str]:
    """Find rows whose lists of a history differ in length; an empty list is missing as a whole."""
    for place, *row in zip(places, *lists.values(), strict=True):
        lengths = {name: len(texts) for name, texts in zip(lists, row, strict=True) if texts}
        if len(set(lengths.values())) > 1:
            received = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            yield (
                f"{place}: the lists of history {history!r} need a value, which may be missing, "
                f"for each of the same exposures; received: {received}"
            )


def _tensor(field: BaseField, values: list[Any]) -> Any:
    if isinstance(field, NumericField):
        return float_tensor(values, [len(values)])
    if isinstance(field, VectorField):
        flat = [number for vector in values for number in vector]
        return float_tensor(flat, [len(values), field.dimension])
    if isinstance(field, CategoricalField):
        return text_tensor(values, [len(values)])
    length = max(1, *map(len, values))
    padded = (text for texts in values for text in texts + [MISSING_TEXT] * (length - len(texts)))
    return text_tensor(padded, [len(values), length])


def _tensor_of_none(field: BaseField, rows: int, numbers: Numbers | None) -> Any:
    """Return the tensor of a field that no row gives: its known numbers, or missing values."""
    if isinstance(field, NumericField):
        return float_tensor([MISSING_NUMBER] * rows if numbers is None else numbers, [rows])
    if isinstance(field, VectorField):
        return _tensor(field, [[MISSING_NUMBER] * field.dimension] * rows)
    return _tensor(field, [MISSING_TEXT if isinstance(field, CategoricalField) else []] * rows)


def _weight_tensors(
    spec: FeatureSpec, weights: Mapping[str, float], problems: list[str]
) -> dict[str, Any]:
    known = weights_in_force(spec.ranking_formula, spec.tasks)
    tensors = {}
    for name, weight in weights.items():
        if name not in known:
            problems.append(
                f"weights.{name}: the ranking formula has no such factor: "
                f"{closest_names(str(name), known)}"
            )
            continue
        number = plain_value(weight)
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not abs(number) <= FLOAT32_MAX
        ):
            problems.append(f"weights.{name}: a finite number is needed; received {weight!r}")
        else:
            tensors[weight_name(name)] = float_tensor([number], [])
    return tensors


def _unknown_field(spec: FeatureSpec, side: str, name: str) -> str:
    if name in spec.training_only:
        return "only training has this field; leave it out"
    if name in spec.fields:
        return f"is a field of the {spec.fields[name].side}, not of the {side}"
    return f"no such {side} field: {closest_names(name, spec.served.fields_of(side))}"
