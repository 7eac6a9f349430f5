"""Heads of regressions that predict how a label is distributed, and give its mean as the score."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Protocol

import pydantic

from feature_spec.strict_model import Float32, Problem

Head = Literal["ordinal", "quantiles"]
Points = Annotated[int, pydantic.Field(ge=2, le=200)]
# How many, or from the least to the largest score.
Cuts = Points | list[Float32]
# The setting that each head reads.
_SETTING_OF: dict[Head, str] = {"ordinal": "cuts", "quantiles": "levels"}


class _HeadedTask(Protocol):
    """What of a task its head depends on."""

    @property
    def kind(self) -> str: ...
    @property
    def head(self) -> Head | None: ...
    @property
    def cuts(self) -> Cuts: ...
    @property
    def quantile_within(self) -> str | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...


def head_problems(task: _HeadedTask) -> Iterable[Problem]:
    """Yield what is wrong with a task's head and its settings."""
    if task.head is not None and task.kind != "regression":
        yield Problem(
            ("head",),
            task.head,
            f"needs a regression, whose label is a number; this is a {task.kind} task",
        )
    if task.head is not None and task.quantile_within is not None:
        yield Problem(
            ("head",),
            task.head,
            "does not go with 'quantile_within', whose score is a value of the label and no mean: "
            "give one of them",
        )
    for head, setting in _SETTING_OF.items():
        if setting in task.model_fields_set and task.head != head:
            yield Problem(
                (setting,),
                getattr(task, setting),
                f"needs 'head: {head}', which alone reads it",
            )
    if isinstance(task.cuts, list):
        rising = all(low < high for low, high in itertools.pairwise(task.cuts))
        if len(task.cuts) < 3 or not rising:
            yield Problem(
                ("cuts",),
                task.cuts,
                "a list of cuts has at least 3 ascending numbers, of which the first is the least "
                "score and the last the largest",
            )


def head_text(task: Any) -> str:
    """Return a task's head in words, such as ``20 quantiles``; empty without one."""
    if task.head == "quantiles":
        return f"{task.levels} quantiles"
    if task.head == "ordinal":
        cuts = task.cuts
        if isinstance(cuts, int):
            return f"ordinal, {cuts} cuts"
        return f"ordinal, cuts at {', '.join(f'{cut:g}' for cut in cuts)}"
    return ""
