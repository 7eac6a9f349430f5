"""Sluice networks."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from trainer.layers.experts import Experts, GroupedDense
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.mixing_units import SluiceUnit, subspace_overlap
from trainer.layers.noise import Dropout
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class Sluice(SharingArchitecture):
    """A network for each task, mixed between tasks by α and between layers by β.

    After each layer α mixes the two subspaces of every task (Ruder et al., Eq 2); β then mixes a
    task's layers into its representation. `penalties()` holds the subspaces of a layer apart (Eq
    3): add its terms to the loss.

    Args:
        tasks: K, the number of tasks.
        layers: the number of layers of each task. Defaults to 2.
        units: the units of each layer; even, for two subspaces. Defaults to 64.
        initial_mixture: `balanced` starts all subspaces alike, `imbalanced` gives a subspace itself
            a share of .95. Defaults to `imbalanced`.
        orthogonality: λ, the weight of the penalty. Defaults to 1e-3.
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import Sluice
        >>> model = Sluice(tasks=2, layers=2, units=16)
        >>> click, like = model(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])
        >>> list(model.penalties())
        ['orthogonality']

    References:
        Ruder et al., Latent multi-task architecture learning, AAAI 2019:
        https://arxiv.org/abs/1705.08142
    """

    def __init__(
        self,
        tasks: int,
        *,
        layers: int = 2,
        units: int = 64,
        initial_mixture: Literal["balanced", "imbalanced"] = "imbalanced",
        orthogonality: float = 1e-3,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if layers < 1:
            raise ValueError(f"`layers` must be at least 1. Received: {layers}")
        self.layer_units, self.initial_mixture = units, initial_mixture
        self.orthogonality = orthogonality
        self.first = Experts(tasks, [units], name="layer_1")
        self.rest = [GroupedDense(units, name=f"layer_{level + 2}") for level in range(layers - 1)]
        self.units = [
            SluiceUnit(initial_mixture, name=f"unit_{level + 1}") for level in range(layers)
        ]
        self.dropout = Dropout(dropout_rate)

    def build(self, input_shape: Any) -> None:
        layers = len(self.units)
        self.beta = self.add_weight(
            name="beta",
            shape=(self.tasks, layers),
            initializer=tf.keras.initializers.Constant(1.0 / layers),
        )
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        x: Any = as_flat_input(inputs)
        layers: list[Any] = [self.first, *self.rest]
        outputs = []
        for layer, unit in zip(layers, self.units, strict=True):
            x = unit(self.dropout(layer(x), training=training))
            outputs.append(x)
        return tf.unstack(tf.einsum("kl,lbku->bku", self.beta, tf.stack(outputs)), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """Return λ Σ ‖G1ᵀ G2‖²_F over tasks and layers."""
        first = self.first.kernels[0]
        by_task = tf.transpose(tf.reshape(first, [first.shape[0], self.tasks, -1]), [1, 0, 2])
        overlaps = [
            subspace_overlap(kernel) for kernel in [by_task, *(layer.kernel for layer in self.rest)]
        ]
        return {"orthogonality": self.orthogonality * tf.add_n(overlaps)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layers": len(self.units),
            "units": self.layer_units,
            "initial_mixture": self.initial_mixture,
            "orthogonality": self.orthogonality,
        }
