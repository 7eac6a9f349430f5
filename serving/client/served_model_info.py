"""What a client learns about the model that a server has loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServedModelInfo:
    """A model that a server has loaded and that fits the client.

    Attributes:
        name: the model's name.
        version: the version in service when it was asked for.
        weights: the exponents of its ranking formula by task, and ``duration`` if the formula has
            one.
    """

    name: str
    version: int
    weights: Mapping[str, float]
