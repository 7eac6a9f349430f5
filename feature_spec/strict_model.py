"""The base class of every part of a spec: immutable, strict, helpful about unknown keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args, get_origin

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

# Serving computes in float32. A larger number is infinite there, and a smaller one than the
# smallest normal number loses digits or becomes 0.
FLOAT32_MAX = 3.4028234663852886e38
FLOAT32_SMALLEST = 1.1754943508222875e-38


def _of_float32(number: float) -> float:
    if abs(number) > FLOAT32_MAX:
        raise ValueError("a number from -3.4e38 to 3.4e38 is needed, which float32 can hold")
    return number


def _positive_of_float32(number: float) -> float:
    if not FLOAT32_SMALLEST <= number <= FLOAT32_MAX:
        raise ValueError("a number above 0 is needed that float32 can hold, from 1.2e-38 to 3.4e38")
    return number


# Counts and sizes end in int32 somewhere, such as in the shape of a tensor.
PositiveInt = Annotated[int, pydantic.Field(gt=0, le=2**31 - 1)]
# NumPy takes no other seeds.
Seed = Annotated[int, pydantic.Field(ge=0, le=2**32 - 1)]
# Numbers that the graph of a model computes with.
Float32 = Annotated[float, AfterValidator(_of_float32)]
PositiveFloat32 = Annotated[float, AfterValidator(_positive_of_float32)]
# A column, a pattern of files or a separator: an empty one names nothing.
Text = Annotated[str, pydantic.Field(min_length=1)]
# What a column is compared with: a text as it is, a number or truth value in any spelling.
Value = str | int | float | bool


def _one_is_a_list_of_one(received: object) -> object:
    return [received] if isinstance(received, Value) else received


# Values of which a column holds one; nothing equals one of none.
Values = Annotated[
    list[Value], pydantic.BeforeValidator(_one_is_a_list_of_one), pydantic.Field(min_length=1)
]


def values_text(values: Iterable[Value]) -> str:
    """Return values as YAML writes them, such as ``4, true, click``."""
    return ", ".join(
        str(value).lower() if isinstance(value, bool) else str(value) for value in values
    )


def closest_names(received: str, valid: Iterable[str]) -> str:
    """Return the end of an error sentence: the closest valid names, or all if none is close."""
    names = sorted(valid)
    if not names:
        return "none is valid here"
    close = difflib.get_close_matches(received, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"valid: {', '.join(names)}"


def text_of(detail: Mapping[str, Any]) -> str:
    """Return what one of pydantic's errors says, without the names of its own and our classes."""
    text = str(detail["msg"]).removeprefix("Value error, ")
    return re.sub(r"a valid dictionary( or instance of \w+)?$", "a mapping of keys", text)


def problems_of(error: ValidationError) -> str:
    """Return all problems of an error, each with its place, in one line."""
    return "; ".join(
        ": ".join(
            [*([".".join(map(str, detail["loc"]))] if detail["loc"] else []), text_of(detail)]
        )
        for detail in error.errors()
    )


class Problem(NamedTuple):
    """A mistake in a spec.

    Attributes:
        place: the keys that lead to the value, from the model that is validated.
        received: the value.
        text: what is valid.
        kind: the type of pydantic's error.
    """

    place: tuple[str | int, ...]
    received: Any
    text: str
    kind: str = "spec_reference"


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a model reads."""
    return [field.alias or name for name, field in model.model_fields.items()]


def validation_error(
    model: type[BaseModel],
    problems: Iterable[Problem],
    error: ValidationError | None = None,
    misspelt: Iterable[str] = (),
) -> ValidationError:
    """Return one error of several mistakes, so that a reader can correct them all at once.

    Args:
        model: the model that is validated.
        problems: mistakes beside those of `error`.
        error: mistakes that pydantic has found.
        misspelt: unknown keys. A key like one of them is not said to be missing.
    """
    known = keys_of(model)
    meant = {
        name for key in misspelt for name in difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    }
    details: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError(
                detail["type"],
                "{text}",
                {**detail.get("ctx", {}), "text": detail["msg"]},
            ),
            "loc": detail["loc"],
            "input": detail["input"],
        }
        for detail in (error.errors() if error is not None else [])
        if not (
            detail["type"] == "missing"
            and detail["loc"][:1] == detail["loc"]
            and detail["loc"][0] in meant
        )
    ]
    details += [
        {
            "type": PydanticCustomError(problem.kind, "{text}", {"text": problem.text}),
            "loc": problem.place,
            "input": problem.received,
        }
        for problem in problems
    ]
    return ValidationError.from_exception_data(model.__name__, details)


class StrictModel(BaseModel):
    """A frozen pydantic model that never casts a value silently.

    The error for an unknown key names the closest valid keys. Every number is finite: neither NaN
    nor infinity compares with anything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    # Whether what values say of each other is told even where one of them is wrong.
    tells_all_at_once: ClassVar[bool] = True

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, received: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(received, dict):
            return handler(received)
        known = keys_of(cls)
        unknown = [key for key in received if key not in known]
        problems = []
        if unknown:
            hints = "; ".join(
                f"unknown key {key!r}: {closest_names(str(key), known)}" for key in unknown
            )
            problems.append(Problem((), received, hints, "unknown_key"))
        content = {key: value for key, value in received.items() if key not in unknown}
        error = None
        try:
            model = handler(content if unknown else received)
        except ValidationError as raised:
            error = raised
        if error is None and not unknown:
            return model
        problems += _further_problems(cls, content, error) if cls.tells_all_at_once else []
        if error is not None and not problems:
            raise error
        raise validation_error(cls, problems, error, misspelt=map(str, unknown)) from error


def _further_problems(
    model: type[BaseModel], received: dict[str, Any], error: ValidationError | None
) -> list[Problem]:
    """Return what the right values of a model say of each other, where others are wrong.

    Pydantic looks at this only when every value is right, so the wrong ones are left out, or
    replaced. A problem that speaks of a wrong value may be none once that is right.
    """
    details = error.errors() if error is not None else []
    wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
    if details and not wrong:
        return []
    mended = {key: value for key, value in received.items() if key not in wrong}
    for name, field in model.model_fields.items():
        if name not in wrong or not field.is_required():
            continue
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if not choices:
            return []
        mended[name] = choices[0]
    try:
        model.model_validate(mended)
    except ValidationError as further:
        return [
            Problem(tuple(detail["loc"]), detail["input"], detail["msg"], detail["type"])
            for detail in further.errors()
            if not any(
                re.search(rf"\b{re.escape(name)}\b", f"{detail['loc']} {detail['msg']}")
                for name in wrong
            )
        ]
    return []
