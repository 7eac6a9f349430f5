"""Every way to balance tasks by its name."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.loss.balancing.balancing import Balancing
from trainer.loss.balancing.dynamic_weight_average import DynamicWeightAverage
from trainer.loss.balancing.gradnorm import GradNorm
from trainer.loss.balancing.pcgrad import PCGrad
from trainer.loss.balancing.uncertainty_weighting import UncertaintyWeighting
from trainer.settings.train_config import TrainerSettings


def balancing_of(settings: TrainerSettings, kinds: Sequence[str]) -> Balancing:
    """The way that the settings name, for tasks of these kinds."""
    match settings.balancing:
        case "uncertainty":
            return UncertaintyWeighting(kinds)
        case "dwa":
            return DynamicWeightAverage(len(kinds), settings.dwa_temperature)
        case "gradnorm":
            return GradNorm(len(kinds), settings.gradnorm_alpha)
        case "pcgrad":
            return PCGrad(settings.seed)
        case _:
            return Balancing()
