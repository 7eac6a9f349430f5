"""Towers that predict how a label is distributed; its mean is the score.

A squared error follows the few largest labels of a heavy tail. These heads learn probabilities or
quantiles, and give a mean that never leaves the range of the labels that they were made for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.tower import Tower

Floats = npt.NDArray[np.float64]

# No probability of a start is 0 or 1, and no two cuts begin with the same one.
_LEAST_GAP = 1e-2
# Quantiles of labels that are alike may still grow apart: a share of their mean distance.
_LEAST_DISTANCE = 1e-2


class Labels(NamedTuple):
    """Labels in ascending order, (N,), and how much each counts, (N,)."""

    values: Floats
    weights: Floats

    def mean(self, values: Floats) -> float:
        """Return the mean of what labels become, (N,)."""
        return float(np.average(values, weights=self.weights))

    def quantiles(self, levels: Floats) -> Floats:
        """Return the labels at levels between 0 and 1, (levels,)."""
        middles = (np.cumsum(self.weights) - self.weights / 2.0) / self.weights.sum()
        found: Floats = np.interp(levels, middles, self.values)
        return found


class DistributionTower(Tower):
    """A tower of several linear units, whose outputs say how a label is distributed.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units dropped after each hidden layer in training. Defaults to 0.
        points: K, the number of linear units.
    """

    def __init__(
        self, units: Sequence[int], dropout_rate: float = 0.0, *, points: int, **kwargs: Any
    ) -> None:
        super().__init__(units, dropout_rate, **kwargs)
        self.points = points
        self.logit = tf.keras.layers.Dense(points, dtype="float32")

    def learn(self, labels: Labels) -> None:
        """Set the weights that are not trained, and first outputs, by the labels to train on."""
        raise NotImplementedError

    def expected(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the mean of the distribution: outputs (B, K) → (B,)."""
        raise NotImplementedError

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row, (B,), of labels (B,) and outputs (B, K)."""
        raise NotImplementedError

    @property
    def range(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The least and the largest score."""
        raise NotImplementedError

    def shown(
        self, outputs: npt.NDArray[np.float32], labels: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return what `fulcrum inspect` shows of rows with outputs (N, K) and labels (N,).

        Returns:
            The cuts or levels, (K,); what is predicted there, (N, K); and what is seen there, 0 or
            1, (N, K).
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["standardised"]
        return {**config, "points": self.points}

    def _learnt(self, name: str, shape: Sequence[int], start: str = "zeros") -> tf.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            dtype="float32",
            initializer=start,
            trainable=False,
            experimental_autocast=False,
        )


@tf.keras.utils.register_keras_serializable("fulcrum")
class OrdinalTower(DistributionTower):
    """P(T > b_k) for ascending cuts b_0 < … < b_{K−1}, and their E[T] (TPM, CREAD).

    The logits are z_0 and z_k = z_{k−1} − softplus(·), so P(T > b_k) never rises with k. The loss
    is the mean cross-entropy of the events T > b_k, and E[T] = b_0 + Σ_k w_k · P(T > b_k).

    CREAD takes the whole step b_{k+1} − b_k as w_k, as if a label above b_k were above b_{k+1},
    too: in a heavy tail, whose last steps are wide, that is far too much. Here w_k is the mean of
    min(T, b_{k+1}) − b_k over the training labels above b_k, at most the whole step. So all labels
    to train on together get their own mean, cut off at b_0 and b_K.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units dropped after each hidden layer in training. Defaults to 0.
        points: K, the number of cuts that labels are compared with.
        cuts: b_0 … b_K, of which b_K is the largest score; labels beyond count as it. By default
            b_0 is the least label, b_K the largest, and those between are quantiles at even levels
            of the labels above b_0.

    Examples:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> from trainer.layers.distribution_towers import Labels, OrdinalTower
        >>> tower = OrdinalTower(units=[8], points=4)
        >>> outputs = tower(tf.ones([5, 16]))
        >>> tower.learn(Labels(np.array([0.0, 1.0, 2.0, 9.0]), np.ones(4)))
        >>> outputs.shape, tower.expected(outputs).shape
        (TensorShape([5, 4]), TensorShape([5]))

    References:
        Lin et al., Tree based progressive regression model for watch-time prediction in short-video
        recommendation, KDD 2023: https://arxiv.org/abs/2306.03392

        Sun et al., CREAD: a classification-restoration framework with error adaptive
        discretization for watch time prediction, AAAI 2024: https://arxiv.org/abs/2401.07521
    """

    def __init__(
        self,
        units: Sequence[int],
        dropout_rate: float = 0.0,
        *,
        points: int,
        cuts: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(units, dropout_rate, points=points, **kwargs)
        self.given_cuts = tuple(cuts)
        self.cuts = self._learnt("cuts", (points + 1,))
        self.steps = self._learnt("steps", (points,))

    def call(
        self,
        representation: tf.Tensor,
        training: bool | None = None,
        gates: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        """Return the logits of P(T > b_k), (B, K)."""
        x = self.outputs_of(representation, training, gates)
        return tf.cumsum(tf.concat([x[:, :1], -tf.nn.softplus(x[:, 1:])], axis=1), axis=1)

    @property
    def own_weights(self) -> list[tf.Variable]:
        """The cuts and the steps."""
        return [self.cuts, self.steps]

    def shifted(self, outputs: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
        """Add numbers, (B,) or (1,), to the logits of all cuts."""
        return outputs + by[:, tf.newaxis]

    def expected(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return E[T], (B,), between b_0 and b_K."""
        mean = self.cuts[0] + tf.linalg.matvec(tf.sigmoid(outputs), self.steps)
        return tf.clip_by_value(mean, self.cuts[0], self.cuts[-1])

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the mean cross-entropy of the events T > b_k, (B,).

        Cuts that are alike, as where many labels are, count once.
        """
        above = tf.cast(labels[:, tf.newaxis] > self.cuts[:-1], tf.float32)
        counted = tf.cast(self.steps > 0.0, tf.float32)
        errors = tf.nn.sigmoid_cross_entropy_with_logits(above, outputs)
        return tf.linalg.matvec(errors, counted) / tf.maximum(tf.reduce_sum(counted), 1.0)

    @property
    def range(self) -> tuple[tf.Tensor, tf.Tensor]:
        """b_0 and the score where a label is above all cuts."""
        return self.cuts[0], tf.minimum(self.cuts[0] + tf.reduce_sum(self.steps), self.cuts[-1])

    def shown(
        self, outputs: npt.NDArray[np.float32], labels: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return the cuts, P(T > b_k), and whether a label is above."""
        cuts = self.cuts.numpy()[:-1].astype(np.float64)
        above = (labels[:, np.newaxis] > cuts).astype(np.float64)
        return cuts, tf.sigmoid(outputs).numpy().astype(np.float64), above

    def learn(self, labels: Labels) -> None:
        """Set cuts, steps and the bias by the labels to train on."""
        cuts = np.array(self.given_cuts) if self.given_cuts else _cuts_of(labels, self.points)
        # The graph compares labels and cuts as float32.
        cuts = cuts.astype(np.float32).astype(np.float64)
        values, weights = labels
        whole = weights.sum()
        steps, shares = np.zeros(self.points), np.zeros(self.points)
        for k, (low, high) in enumerate(itertools.pairwise(cuts)):
            above = values > low
            shares[k] = weights[above].sum() / whole
            steps[k] = (
                np.average(np.minimum(values[above], high) - low, weights=weights[above])
                if shares[k]
                else (high - low) / 2.0
            )
        # As if half a label were on each side.
        rates = (shares * whole + 0.5) / (whole + 1.0)
        logits = np.log(rates) - np.log1p(-rates)
        falls = _rises(-logits, _LEAST_GAP)
        self.cuts.assign(cuts)
        self.steps.assign(steps)
        self.logit.bias.assign(np.concatenate([logits[:1], np.log(np.expm1(falls))]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cuts": self.given_cuts}


def _rises(values: Floats, least: float) -> Floats:
    """Return the steps, at least `least`, by which a sum follows ascending values, (K − 1,).

    Where the least ones have lifted the sum, the next large step is smaller: they do not add up.
    """
    reached, rises = values[0], []
    for value in values[1:]:
        rises.append(max(value - reached, least))
        reached += rises[-1]
    return np.array(rises)


def _cuts_of(labels: Labels, points: int) -> Floats:
    """Return the least label, quantiles at even levels of those above it, and the largest."""
    values, weights = labels
    above = values > values[0]
    if not above.any():
        # All are alike: one step, which nothing fills.
        return np.full(points + 1, values[0])
    levels = np.arange(1, points) / points
    inner = Labels(values[above], weights[above]).quantiles(levels)
    return np.concatenate([values[:1], inner, values[-1:]])


@tf.keras.utils.register_keras_serializable("fulcrum")
class QuantileTower(DistributionTower):
    """Quantiles q_1 ≤ … ≤ q_K of a label at the levels τ_k = k / (K + 1), and their E[T] (CQE).

    q_k = q_{k−1} + d_k · softplus(·) / ln 2, where d_k is the distance of the same quantiles of all
    labels to train on. So no two quantiles cross, and units of 0 give the quantiles of all labels.
    The loss is the mean pinball loss max(τ·u, (τ − 1)·u) of u = T − q_k, in units of the loss of
    always giving the quantiles of all labels: it begins at 1, as that of a regression does.

    E[T] is the area under the quantiles by trapezoids, from the least label at level 0 to a value
    at level 1 whose distance from the least label is `tail` times that of q_K. Without an own value
    the tail above the last level would be lost, which is most of a heavy one. `tail`, at least 1,
    gives all labels to train on together their own mean. E[T] is cut off at the least and the
    largest label.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units dropped after each hidden layer in training. Defaults to 0.
        points: K, the number of quantiles.

    Examples:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> from trainer.layers.distribution_towers import Labels, QuantileTower
        >>> tower = QuantileTower(units=[8], points=4)
        >>> outputs = tower(tf.ones([5, 16]))
        >>> tower.learn(Labels(np.array([0.0, 1.0, 2.0, 9.0]), np.ones(4)))
        >>> outputs.shape, tower.expected(outputs).shape
        (TensorShape([5, 4]), TensorShape([5]))

    References:
        Lin et al., Conditional quantile estimation for uncertain watch time in short-video
        recommendation, 2024: https://arxiv.org/abs/2407.12223
    """

    def __init__(
        self, units: Sequence[int], dropout_rate: float = 0.0, *, points: int, **kwargs: Any
    ) -> None:
        super().__init__(units, dropout_rate, points=points, **kwargs)
        self.levels = np.arange(1, points + 1) / (points + 1.0)
        self.first = self._learnt("first", ())
        self.distances = self._learnt("distances", (points,), "ones")
        self.least, self.largest = self._learnt("least", ()), self._learnt("largest", (), "ones")
        self.tail, self.loss_unit = (
            self._learnt(name, (), "ones") for name in ("tail", "loss_unit")
        )

    def call(
        self,
        representation: tf.Tensor,
        training: bool | None = None,
        gates: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        """Return the quantiles, (B, K)."""
        x = self.outputs_of(representation, training, gates)
        rises = tf.nn.softplus(x[:, 1:]) / np.log(2.0).astype(np.float32)
        moves = tf.concat([x[:, :1], rises], axis=1) * self.distances
        return self.first + tf.cumsum(moves, axis=1)

    @property
    def own_weights(self) -> list[tf.Variable]:
        """Where quantiles begin, their distances, the range, the tail and the loss's unit."""
        return [
            self.first, self.distances, self.least, self.largest, self.tail, self.loss_unit,
        ]  # fmt: skip

    def shifted(self, outputs: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
        """Add numbers, (B,) or (1,), to all quantiles, in units of the first one's distance."""
        return outputs + by[:, tf.newaxis] * self.distances[0]

    def expected(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return E[T], (B,), between the least and the largest label."""
        top = self.least + (outputs[:, -1] - self.least) * self.tail
        # All levels are as far apart: both ends count one half.
        inner = tf.reduce_sum(outputs, axis=1)
        mean = (inner + (self.least + top) / 2.0) / (self.points + 1.0)
        return tf.clip_by_value(mean, self.least, self.largest)

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the mean pinball loss in units of that of all labels' quantiles, (B,)."""
        levels = tf.constant(self.levels, tf.float32)
        above = labels[:, tf.newaxis] - outputs
        errors = tf.maximum(levels * above, (levels - 1.0) * above)
        return tf.reduce_mean(errors, axis=1) / self.loss_unit

    @property
    def range(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The least and the largest label to train on."""
        return self.least, self.largest

    def shown(
        self, outputs: npt.NDArray[np.float32], labels: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return the levels, the quantiles, and whether a label is at most its own quantile."""
        below = (labels[:, np.newaxis] <= outputs).astype(np.float64)
        return self.levels, outputs.astype(np.float64), below

    def learn(self, labels: Labels) -> None:
        """Set where quantiles begin, their distances, the tail and the loss's unit."""
        quantiles = labels.quantiles(self.levels)
        least, largest = labels.values[0], labels.values[-1]
        if quantiles[-1] == quantiles[0]:
            # Nearly all labels are alike, as where few are not 0; the last quantile begins apart.
            quantiles[-1] += labels.mean(np.abs(labels.values - quantiles[0]))
        typical = (quantiles[-1] - quantiles[0]) / (self.points - 1) or 1.0
        distances = np.concatenate([[typical], _rises(quantiles, _LEAST_DISTANCE * typical)])
        begun = quantiles[0] + np.concatenate([[0.0], np.cumsum(distances[1:])])
        whole = labels.mean(labels.values) * (self.points + 1.0)
        top = 2.0 * (whole - begun.sum()) - least
        reach = begun[-1] - least
        # Level by level: all at once are as large as the labels times K.
        pinball = 0.0
        for level, quantile in zip(self.levels, begun, strict=True):
            above = labels.values - quantile
            pinball += labels.mean(np.maximum(level * above, (level - 1.0) * above)) / self.points
        self.first.assign(quantiles[0])
        self.distances.assign(distances)
        self.least.assign(least)
        self.largest.assign(largest)
        self.tail.assign(max((top - least) / reach, 1.0) if reach > 0.0 else 1.0)
        self.loss_unit.assign(pinball or 1.0)
