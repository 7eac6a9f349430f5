"""How heads predict labels to be distributed: the trainer writes it, the report reads it."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic


class _Part(pydantic.BaseModel):
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(frozen=True, extra="forbid")


class HeadPoint(_Part):
    """A cut or a level of a head, over the validation examples.

    Attributes:
        place: the cut b_k of `ordinal`, in the label's unit; the level τ_k of `quantiles`.
        predicted: the mean probability of a label above the cut; the mean quantile.
        observed: the share of labels above the cut; that of labels up to their own quantile, which
            is τ_k where the head is right, and more where many labels are alike, such as 0.
    """

    place: float
    predicted: float
    observed: float


class HeadDistribution(_Part):
    """What a head has learnt of its task's label, over the validation examples.

    Attributes:
        task: the task.
        head: `ordinal` or `quantiles`.
        examples: the number of validation examples in the task's sample space.
        least: the least score that the task can have.
        largest: the largest score that the task can have.
        mean_score: the mean of the scores.
        mean_label: the mean of the labels.
        points: the cuts or levels, ascending.
    """

    task: str
    head: Literal["ordinal", "quantiles"]
    examples: int
    least: float
    largest: float
    mean_score: float
    mean_label: float
    points: list[HeadPoint]

    @property
    def title(self) -> str:
        """The head, its range and its means in a line."""
        return (
            f"{self.task}, {self.head}: scores from {self.least:.4g} to {self.largest:.4g}; on "
            f"{self.examples:,} validation examples mean score {self.mean_score:.4g}, mean label "
            f"{self.mean_label:.4g}"
        )

    @property
    def columns(self) -> tuple[str, str, str]:
        """The headings of place, predicted and observed."""
        if self.head == "ordinal":
            return "cut", "mean P(label above)", "labels above"
        return "level", "mean quantile", "labels up to it"
