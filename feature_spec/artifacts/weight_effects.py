"""Effects of the ranking formula's weights: the trainer writes them, the report reads them."""

from __future__ import annotations

from typing import Literal

import pydantic

TOP_K = 10


class WeightEffect(pydantic.BaseModel):
    """The effect of changing one weight of the ranking formula.

    Attributes:
        name: the task, or ``duration``.
        weight: the weight in the formula.
        factor: the factor that the weight is multiplied by.
        changed_share: the share of lists into whose top 10 another candidate comes.
        replaced_share: the share of all places in the top 10 that go to another candidate,
            whatever the order.
        changed_first_share: the share of lists with another candidate at the first place.
    """

    name: str
    weight: float
    factor: float
    changed_share: float
    replaced_share: float
    changed_first_share: float


class WeightEffects(pydantic.BaseModel):
    """The effects of all weights.

    Attributes:
        top_k: the number of places that count.
        by: the unit that makes a list: `request`, `user_day` or `user`; None without lists.
        lists: the number of lists with more than `top_k` exposures. The top of shorter ones cannot
            change, so they do not count.
        exposures: the number of exposures in these lists.
        effects: the effects by weight other than 0, in the formula's order, and by factor.
        not_measured: the reason why there are no lists; "" if there are.
    """

    top_k: int = TOP_K
    by: Literal["request", "user_day", "user"] | None
    lists: int
    exposures: int
    effects: list[WeightEffect]
    not_measured: str = ""
