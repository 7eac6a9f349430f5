"""The methods that balance tasks, by the names that settings give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from feature_spec.tasks.task import Task
from trainer.loss.balancing import Balancing, DynamicWeightAverage, UncertaintyWeighting
from trainer.loss.gradient_balancing import GradNorm, PCGrad
from trainer.loss.log_balancing import FAMO, SmoothTchebycheff
from trainer.settings.train_config import TrainerSettings


def make_balancing(settings: TrainerSettings, tasks: Sequence[Task]) -> Balancing:
    """Make the balancing that the settings name.

    Args:
        settings: the settings of the trainer.
        tasks: the tasks, in the network's order.
    """
    counted = [task.loss_weight > 0.0 for task in tasks]
    methods: Mapping[str, Callable[[], Balancing]] = {
        "none": Balancing,
        "uncertainty": lambda: UncertaintyWeighting(
            [task.kind == "regression" and task.head is None for task in tasks]
        ),
        "dwa": lambda: DynamicWeightAverage(len(tasks), settings.dwa_temperature),
        "famo": lambda: FAMO(counted, settings.famo_decay),
        "stch": lambda: SmoothTchebycheff(counted, settings.stch_smoothness),
        "gradnorm": lambda: GradNorm(len(tasks), settings.gradnorm_alpha),
        "pcgrad": lambda: PCGrad(settings.seed),
    }
    return methods[settings.balancing]()
