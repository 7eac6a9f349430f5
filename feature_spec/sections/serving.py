"""What a model must be able to do in service before it may be pushed."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from feature_spec.strict_model import StrictModel


class Serving(StrictModel):
    """Ranking requests as they will come, and how fast and how exactly they must be answered.

    Attributes:
        candidate_counts: candidates of small, usual and the largest requests. The export carries a
            warm-up request of each, and the check before a push tries each.
        latency_budget_ms: the longest time that 99 of 100 ranking requests of any of these sizes
            may take over gRPC, on the machine that runs the pipeline.
        score_tolerance: the largest difference between a served score and the trainer's: absolute,
            and relative above 1. More than the rounding of float32 only for models that are
            exported in half precision.
    """

    candidate_counts: Annotated[list[PositiveInt], pydantic.Field(min_length=1)] = [1, 100, 500]
    latency_budget_ms: PositiveFloat = 500.0
    score_tolerance: NonNegativeFloat = 1e-4
