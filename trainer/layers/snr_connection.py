"""The connection of sub-network routing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.hard_concrete_gate import HardConcreteGate
from trainer.layers.initial_weights import side_by_side_glorot


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRConnection(tf.keras.layers.Layer):
    """v_i = Σ_j z_ij W_ij u_j (SNR-Trans) or Σ_j z_ij u_j (SNR-Aver), one gate a connection (Ma et al., AAAI 2019, Eq 2–5).

    Args:
        outputs: number of v.
        units: V, width of each v; None for SNR-Aver, which has no matrices and keeps the width of
            u.
    """

    def __init__(self, outputs: int, units: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if outputs < 1 or (units is not None and units < 1):
            raise ValueError(
                f"`outputs` and `units` must be at least 1. Received: {outputs}, {units}"
            )
        self.outputs, self.units = outputs, units

    def build(self, input_shape: tf.TensorShape) -> None:
        subnetworks, width = int(input_shape[1]), int(input_shape[2])
        self.gate = HardConcreteGate([self.outputs, subnetworks], name="gate")
        self.gate.build()
        if self.units is not None:
            self.kernel = self.add_weight(
                name="kernel",
                shape=(self.outputs, subnetworks, width, self.units),
                initializer=side_by_side_glorot(width, self.units),
            )
        self.built = True

    def call(self, u: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """(B, J, U) → (B, outputs, V)."""
        z = self.gate.values(training)
        if self.units is None:
            return tf.einsum("ij,bju->biu", z, u)
        # The gates scale the matrices, which are few, rather than the activations, which come with
        # every row.
        return tf.einsum("bju,ijuv->biv", u, z[:, :, tf.newaxis, tf.newaxis] * self.kernel)

    def folded(self) -> dict[tuple[int, int], npt.NDArray[np.float32]]:
        """z_ij W_ij, (U, V), or z_ij alone, (), by source j and target i, as they are outside of training."""
        z = tf.cast(self.gate.values(), tf.float32)
        values = (
            z if self.units is None else z[:, :, tf.newaxis, tf.newaxis] * self.kernel
        ).numpy()
        return {(source, target): values[target, source] for target, source in np.ndindex(*z.shape)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outputs": self.outputs, "units": self.units}
