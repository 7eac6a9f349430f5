"""The base class of every part of a spec: immutable, strict, helpful about unknown keys."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError


def closest_names(received: str, valid: Iterable[str]) -> str:
    """Return the end of an error sentence: the closest valid names, or all if none is close."""
    names = sorted(valid)
    if not names:
        return "none is valid here"
    close = difflib.get_close_matches(received, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"valid: {', '.join(names)}"


def problems_of(error: ValidationError) -> str:
    """Return all problems of an error, each with its place, in one line."""
    return "; ".join(
        ": ".join([*([".".join(map(str, detail["loc"]))] if detail["loc"] else []), detail["msg"]])
        for detail in error.errors()
    )


class StrictModel(BaseModel):
    """A frozen pydantic model that never casts a value silently.

    The error for an unknown key names the closest valid keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, received: Any) -> Any:
        if isinstance(received, dict):
            unknown = [key for key in received if key not in cls.model_fields]
            if unknown:
                hints = "; ".join(
                    f"unknown key {key!r}: {closest_names(str(key), cls.model_fields)}"
                    for key in unknown
                )
                raise PydanticCustomError("unknown_key", "{hints}", {"hints": hints})
        return received
