"""The settings of PEPNet's gates, which go around every model."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from feature_spec.strict_model import PositiveInt, StrictModel


class Personalise(StrictModel):
    """Gates by prior information around a model (PEPNet, Chang et al., KDD 2023).

    Attributes:
        domain: the fields that say where an exposure happens, such as the tab. Their embeddings
            gate each value of the model's input (EPNet). Empty for none.
        prior: the fields that say who and what is concerned, such as user, item and author. Their
            embeddings gate the hidden units of each tower (PPNet). Empty for none.
        units: the units of the hidden layer of the gates.
    """

    domain: list[str] = []
    prior: list[str] = []
    units: PositiveInt = 32

    @model_validator(mode="after")
    def _gates_something(self) -> Self:
        if not self.domain and not self.prior:
            raise ValueError(
                "needs fields in 'domain', 'prior' or both; leave 'personalise' out for no gates"
            )
        for key in ("domain", "prior"):
            fields = getattr(self, key)
            twice = sorted({name for name in fields if fields.count(name) > 1})
            if twice:
                raise ValueError(f"'{key}' names {', '.join(map(repr, twice))} more than once")
        return self
