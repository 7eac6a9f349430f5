"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts, GroupedDense
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.mixing_units import CrossStitchUnit
from trainer.layers.noise import Dropout
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class CrossStitch(SharingArchitecture):
    """A network for each task, mixed linearly after each layer.

    After each layer a cross-stitch unit computes x̃_i = Σ_j α_ij x_j over the tasks (Misra et al.,
    Eq 1). α is learnt; train it at a higher rate than the layers (`coefficients`).

    Args:
        tasks: K, the number of tasks.
        units: the layers of each task. Defaults to (128, 64).
        per_channel: whether each unit has an α of its own rather than one a layer. Defaults to
            False.
        own_share: the initial α_ii; the rest is spread over the other tasks. Defaults to 0.9.
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import CrossStitch
        >>> model = CrossStitch(tasks=2, units=[32, 16])
        >>> click, like = model(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])
        >>> [alpha.shape.as_list() for alpha in model.coefficients]
        [[2, 2], [2, 2]]

    References:
        Misra et al., Cross-stitch networks for multi-task learning, CVPR 2016:
        https://arxiv.org/abs/1604.03539
    """

    def __init__(
        self,
        tasks: int,
        *,
        units: Sequence[int] = (128, 64),
        per_channel: bool = False,
        own_share: float = 0.9,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if not units:
            raise ValueError(f"`units` must hold at least one layer. Received: {list(units)}")
        self.layer_units, self.per_channel, self.own_share = tuple(units), per_channel, own_share
        first, *rest = units
        self.first = Experts(tasks, [first], name="layer_1")
        self.rest = [
            GroupedDense(width, name=f"layer_{level + 2}") for level, width in enumerate(rest)
        ]
        self.units = [
            CrossStitchUnit(per_channel, own_share, name=f"unit_{level + 1}")
            for level in range(len(units))
        ]
        self.dropout = Dropout(dropout_rate)

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        x: Any = as_flat_input(inputs)
        layers: list[Any] = [self.first, *self.rest]
        for layer, unit in zip(layers, self.units, strict=True):
            x = unit(self.dropout(layer(x), training=training))
        return tf.unstack(x, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.layer_units,
            "per_channel": self.per_channel,
            "own_share": self.own_share,
        }
