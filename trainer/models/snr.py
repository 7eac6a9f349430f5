"""SNR: sub-network routing, with and without matrices on its connections."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from trainer.layers.experts import Experts, GroupedDense
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.gated_connections import SNRConnection
from trainer.models.sharing_architecture import SharingArchitecture


class SNR(SharingArchitecture):
    """Levels of sub-networks, between which hard-concrete gates open and close connections.

    Gates choose which sub-networks feed which, and which feed each task.
    """

    transforms: ClassVar[bool]

    def __init__(
        self,
        tasks: int,
        *,
        levels: int = 1,
        subnetworks: int = 6,
        units: int = 64,
        l0: float = 1e-4,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if levels < 1:
            raise ValueError(f"`levels` must be at least 1. Received: {levels}")
        self.subnetworks, self.units, self.l0 = subnetworks, units, l0
        width = units if self.transforms else None
        self.first = Experts(subnetworks, [units], dropout_rate, name="level_1")
        self.connections = [
            SNRConnection(subnetworks, width, name=f"connection_{level + 1}")
            for level in range(levels - 1)
        ]
        self.rest = [GroupedDense(units, name=f"level_{level + 2}") for level in range(levels - 1)]
        self.to_tasks = SNRConnection(tasks, width, name="to_tasks")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        u = self.first(as_flat_input(inputs), training=training)
        for connection, level in zip(self.connections, self.rest, strict=True):
            u = level(connection(u, training=training))
        return tf.unstack(self.to_tasks(u, training=training), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """Return λ Σ P(z ≠ 0)."""
        gates = [connection.gate for connection in [*self.connections, self.to_tasks]]
        return {"l0": self.l0 * tf.add_n([gate.expected_open() for gate in gates])}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": len(self.rest) + 1,
            "subnetworks": self.subnetworks,
            "units": self.units,
            "l0": self.l0,
        }


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRTrans(SNR):
    """Sub-network routing with a matrix and a gate on each connection.

    v_i = Σ_j z_ij W_ij u_j with hard-concrete gates z (Ma et al., Eq 2–3). `penalties()` is the L0
    term that closes gates: add it to the loss.

    Args:
        tasks: K, the number of tasks.
        levels: the number of levels of sub-networks. Defaults to 1.
        subnetworks: J, the number of sub-networks of each level. Defaults to 6.
        units: U, the units of each sub-network. Defaults to 64.
        l0: λ, the weight of the expected number of open gates. Defaults to 1e-4.
        dropout_rate: the share of units dropped in the first level in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import SNRTrans
        >>> model = SNRTrans(tasks=2, subnetworks=4, units=16)
        >>> click, like = model(tf.ones([5, 10]), training=True)
        >>> click.shape
        TensorShape([5, 16])
        >>> loss = tf.reduce_mean(click) + tf.add_n(list(model.penalties().values()))

    References:
        Ma et al., SNR: sub-network routing for flexible parameter sharing in multi-task learning,
        AAAI 2019: https://doi.org/10.1609/aaai.v33i01.3301216
    """

    transforms = True


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRAver(SNR):
    """Sub-network routing with a gate and no matrix on each connection.

    v_i = Σ_j z_ij u_j with hard-concrete gates z (Ma et al., Eq 4–5). `penalties()` is the L0 term
    that closes gates: add it to the loss.

    Args:
        tasks: K, the number of tasks.
        levels: the number of levels of sub-networks. Defaults to 1.
        subnetworks: J, the number of sub-networks of each level. Defaults to 6.
        units: U, the units of each sub-network. Defaults to 64.
        l0: λ, the weight of the expected number of open gates. Defaults to 1e-4.
        dropout_rate: the share of units dropped in the first level in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import SNRAver
        >>> click, like = SNRAver(tasks=2, levels=2, subnetworks=4, units=16)(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        SNR, Ma et al., AAAI 2019: https://doi.org/10.1609/aaai.v33i01.3301216
    """

    transforms = False
