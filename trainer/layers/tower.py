"""Towers: a task's representation to its logit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.noise import Dropout


@tf.keras.utils.register_keras_serializable("fulcrum")
class Tower(tf.keras.layers.Layer):
    """ReLU layers and one linear unit: t^k of PLE, Eq 5.

    The logit is float32 whatever the precision of the hidden layers.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units dropped after each hidden layer in training. Defaults to 0.
        standardised: whether the linear unit computes a label in units of its standard deviation
            from its mean, as it is for a regression. The weights `mean` and `deviation`, which are
            not trained, then give the label: 0 and 1 at the start. Defaults to False.

    Call arguments:
        representation: a task's representation, (B, U).
        gates: what the units of each hidden layer are multiplied by, (B, units) each; none to
            leave them as they are.

    Returns:
        The logits, (B,), or labels of a regression.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import Tower
        >>> Tower(units=[16, 8])(tf.ones([5, 32])).shape
        TensorShape([5])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        units: Sequence[int],
        dropout_rate: float = 0.0,
        *,
        standardised: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.dropout_rate = tuple(units), dropout_rate
        self.standardised = standardised
        self.hidden = [tf.keras.layers.Dense(width, activation="relu") for width in self.units]
        self.dropout = Dropout(dropout_rate)
        # Scores and losses are computed in float32 whatever precision the hidden layers have.
        self.logit = tf.keras.layers.Dense(1, dtype="float32")
        if standardised:
            self.mean, self.deviation = (
                self.add_weight(
                    name=name,
                    shape=(),
                    dtype="float32",
                    initializer=start,
                    trainable=False,
                    experimental_autocast=False,
                )
                for name, start in (("mean", "zeros"), ("deviation", "ones"))
            )

    def call(
        self,
        representation: tf.Tensor,
        training: bool | None = None,
        gates: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        logit = tf.squeeze(self.outputs_of(representation, training, gates), axis=1)
        return logit * self.deviation + self.mean if self.standardised else logit

    def outputs_of(
        self, representation: tf.Tensor, training: bool | None, gates: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Return what the last layer gives out, (B, 1), for the arguments of a call."""
        h = representation
        for layer, gate in itertools.zip_longest(self.hidden, gates):
            h = layer(h) if gate is None else layer(h) * gate
            h = self.dropout(h, training=training)
        return self.logit(h)

    @property
    def own_weights(self) -> list[tf.Variable]:
        """The weights that are not trained: what the labels to train on have told."""
        return [self.mean, self.deviation] if self.standardised else []

    def shifted(self, outputs: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
        """Add numbers, (B,) or (1,), to logits, in units of the deviation if standardised."""
        return outputs + (by * self.deviation if self.standardised else by)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "dropout_rate": self.dropout_rate,
            "standardised": self.standardised,
        }
