"""The tower of a task: of logits, of a number, or of how a label is distributed."""

from __future__ import annotations

from trainer.layers.distribution_towers import OrdinalTower, QuantileTower
from trainer.layers.tower import Tower
from trainer.network.network_layout import NetworkLayout
from trainer.settings.model_settings import ModelSettings


def task_tower(layout: NetworkLayout, settings: ModelSettings, task: str) -> Tower:
    """Build a task's tower, with the head that the layout gives it.

    Args:
        layout: the layout of the network.
        settings: the settings of the model.
        task: the task's name.
    """
    sizes, name = (settings.tower_units, settings.dropout_rate), f"tower_{task}"
    head = layout.heads.get(task)
    if head is None:
        return Tower(*sizes, standardised=layout.tasks[task] == "regression", name=name)
    if head.kind == "ordinal":
        return OrdinalTower(*sizes, points=head.points, cuts=head.cuts, name=name)
    return QuantileTower(*sizes, points=head.points, name=name)
