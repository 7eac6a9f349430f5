"""Experts: independent dense networks, computed as one matrix product a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import tensorflow as tf

from trainer.layers.flat_input import FlatInput, input_width, product
from trainer.layers.noise import Dropout
from trainer.layers.norms import RMSNorm

Activation: TypeAlias = Literal["relu", "swish"]
Norm: TypeAlias = Literal["none", "rms"]


def side_by_side_glorot(fan_in: int, fan_out: int) -> tf.keras.initializers.Initializer:
    """Return Glorot's uniform initializer for a kernel of many (fan_in, fan_out) matrices.

    Keras would take the whole kernel for one matrix and start it too small. One draw fills the
    whole kernel, so no two matrices in it are equal; a Keras initializer without a seed that is
    called once for each matrix makes them identical.
    """
    limit = math.sqrt(6.0 / (fan_in + fan_out))
    return tf.keras.initializers.RandomUniform(-limit, limit)


@tf.keras.utils.register_keras_serializable("fulcrum")
class Experts(tf.keras.layers.Layer):
    """E networks of ReLU layers that read the same input.

    They are the experts of MMoE (section 4), and of PLE (section 4.1), where they have one layer:
    f_e(x) = ReLU(W_e x + b_e). HoME's are f_e(x) = swish(norm(W_e x + b_e)), whose outputs are
    alike in size and never all 0; its batch normalisation is one of each row here.

    Args:
        experts: E, the number of experts.
        units: the units of each expert's layers; the last is U.
        dropout_rate: the share of units dropped after each layer in training. Defaults to 0.
        activation: `relu`; or `swish`, z · σ(z). Defaults to `relu`.
        norm: `none`; or `rms`, by which each layer of each expert is normalised before its
            activation, see `RMSNorm`. Defaults to `none`.

    Call arguments:
        x: a flat input, (B, I); a `FlatInput`; or an input for each expert, (B, E, I).

    Returns:
        The outputs of all experts, (B, E, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import Experts
        >>> Experts(experts=4, units=[32, 16])(tf.ones([2, 10])).shape
        TensorShape([2, 4, 16])

    References:
        - MMoE, Ma et al., KDD 2018: https://doi.org/10.1145/3219819.3220007
        - PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
        - HoME, Wang et al., KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def __init__(
        self,
        experts: int,
        units: Sequence[int],
        dropout_rate: float = 0.0,
        *,
        activation: Activation = "relu",
        norm: Norm = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if experts < 1 or not units or min(units) < 1:
            raise ValueError(
                "`experts` and each of `units` must be at least 1. "
                f"Received: experts={experts}, units={list(units)}"
            )
        if activation not in get_args(Activation) or norm not in get_args(Norm):
            raise ValueError(
                "`activation` must be 'relu' or 'swish', and `norm` 'none' or 'rms'. "
                f"Received: {activation!r}, {norm!r}"
            )
        self.experts = experts
        self.units = tuple(units)
        self.dropout_rate = dropout_rate
        self.activation, self.norm = activation, norm
        self.norms = [
            RMSNorm(name=f"norm_{level}")
            for level in range(len(self.units) if norm == "rms" else 0)
        ]

    def build(self, input_shape: Any) -> None:
        fan_in = input_width(input_shape)
        self.kernels, self.biases = [], []
        for level, units in enumerate(self.units):
            # The first layer's experts share an input, so their kernels stand side by side.
            shape = (fan_in, self.experts * units) if level == 0 else (self.experts, fan_in, units)
            initializer = side_by_side_glorot(fan_in, units)
            self.kernels.append(
                self.add_weight(name=f"kernel_{level}", shape=shape, initializer=initializer)
            )
            self.biases.append(
                self.add_weight(
                    name=f"bias_{level}", shape=(self.experts, units), initializer="zeros"
                )
            )
            fan_in = units
        self.dropout = Dropout(self.dropout_rate)
        self.built = True

    def call(self, x: tf.Tensor | FlatInput, training: bool | None = None) -> tf.Tensor:
        h = self.dropout(self._first_layer(x), training=training)
        for level, kernel in enumerate(self.kernels[1:], 1):
            z = tf.einsum("beu,euv->bev", h, kernel) + self.biases[level]
            h = self.dropout(self._activated(self._normed(z, level)), training=training)
        return h

    def _first_layer(self, x: tf.Tensor | FlatInput) -> tf.Tensor:
        kernel, bias = self.kernels[0], self.biases[0]
        shape = [-1, self.experts, self.units[0]]
        if not isinstance(x, FlatInput) and x.shape.rank == 3:
            z = tf.einsum("bei,ieu->beu", x, tf.reshape(kernel, shape)) + bias
            return self._activated(self._normed(z, 0))
        z = product(x, kernel, tf.reshape(bias, [-1]))
        if self.norm == "none":
            # TensorFlow fuses a product, a bias and a ReLU if no other operation is between them.
            return tf.reshape(self._activated(z), shape)
        return self._activated(self._normed(tf.reshape(z, shape), 0))

    def _normed(self, z: tf.Tensor, level: int) -> tf.Tensor:
        return z if self.norm == "none" else self.norms[level](z)

    def _activated(self, z: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(z) if self.activation == "relu" else z * tf.sigmoid(z)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "experts": self.experts,
            "units": self.units,
            "dropout_rate": self.dropout_rate,
            "activation": self.activation,
            "norm": self.norm,
        }


@tf.keras.utils.register_keras_serializable("fulcrum")
class GroupedDense(tf.keras.layers.Layer):
    """G independent ReLU layers on G inputs, in one batched product: y_g = ReLU(W_g x_g + b_g).

    Args:
        units: V, the units of each layer.

    Call arguments:
        x: an input for each layer, (B, G, U).

    Returns:
        The output of each layer, (B, G, V).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import GroupedDense
        >>> GroupedDense(units=8)(tf.ones([2, 3, 16])).shape
        TensorShape([2, 3, 8])
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: {units}")
        self.units = units

    def build(self, input_shape: tf.TensorShape) -> None:
        groups, width = int(input_shape[1]), int(input_shape[2])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(groups, width, self.units),
            initializer=side_by_side_glorot(width, self.units),
        )
        self.bias = self.add_weight(name="bias", shape=(groups, self.units), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(tf.einsum("bgu,guv->bgv", x, self.kernel) + self.bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
