"""The metrics of tasks on the validation part, with their standard errors.

Keras spreads the thresholds of its AUC evenly over probabilities, where a task with few positives
has all its scores between two of them; and it gives no metric's standard error.
"""

from __future__ import annotations

import tensorflow as tf

from feature_spec.tasks.task import Task

# A bin of logits is 0.002 wide.
_LARGEST_LOGIT, _BINS = 20.0, 20_000


class TaskMetric(tf.keras.metrics.Metric):
    """A metric over the rows of a task's sample space, of labels and logits, (B, 1) each."""

    def standard_error(self) -> tf.Tensor:
        """Return the standard error of the result, a scalar; NaN if it cannot be told."""
        raise NotImplementedError

    def evidence(self) -> tf.Tensor:
        """Return how many rows the result rests on: of a binary task, those of the rarer label."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Forget all rows."""
        for count in self.variables:
            count.assign(tf.zeros_like(count))

    def _count(self, name: str, shape: tuple[int, ...] = ()) -> tf.Variable:
        return self.add_weight(name=name, shape=shape, dtype=tf.float64, initializer="zeros")


def effective_rows(weights: tf.Tensor, squares: tf.Tensor) -> tf.Tensor:
    """Return how many rows of equal weight tell as much as weighted ones (Kish, 1965).

    It is the number of rows where all weigh the same, whatever that is.

    Args:
        weights: the sum of the weights.
        squares: the sum of their squares.
    """
    return tf.math.divide_no_nan(tf.identity(weights) ** 2, tf.identity(squares))


class LogitAUC(TaskMetric):
    """The area under the ROC curve, by thresholds that are even in logits.

    Two rows whose logits are less than 0.002 apart count as a tie. The result is NaN if no row has
    a positive label, or none a negative one.
    """

    def __init__(self, name: str = "auc") -> None:
        super().__init__(name=name)
        self.positives = self._count("positives", (_BINS,))
        self.negatives = self._count("negatives", (_BINS,))
        self.squares = self._count("squares", (2,))

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        """Count rows: labels and logits (B, 1), weights (B,)."""
        labels, logits = tf.reshape(y_true, [-1]), tf.reshape(y_pred, [-1])
        weights = tf.ones_like(labels) if sample_weight is None else sample_weight
        inside = tf.clip_by_value(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)
        places = tf.cast((inside / _LARGEST_LOGIT + 1.0) * (_BINS / 2), tf.int32)
        places = tf.minimum(places, _BINS - 1)
        for counts, share in ((self.positives, labels), (self.negatives, 1.0 - labels)):
            of_bins = tf.math.unsorted_segment_sum(
                tf.cast(weights * share, tf.float64), places, _BINS
            )
            counts.assign_add(of_bins)
        squares = [tf.reduce_sum(weights**2 * share) for share in (labels, 1.0 - labels)]
        self.squares.assign_add(tf.cast(tf.stack(squares), tf.float64))

    def result(self) -> tf.Tensor:
        """Return the share of pairs of a positive and a negative that are in order; a tie is ½."""
        positives, negatives = tf.identity(self.positives), tf.identity(self.negatives)
        below = tf.cumsum(negatives, exclusive=True) + negatives / 2.0
        pairs = tf.reduce_sum(positives) * tf.reduce_sum(negatives)
        return tf.reduce_sum(positives * below) / pairs

    def standard_error(self) -> tf.Tensor:
        """Return the standard error by Hanley and McNeil, 1982."""
        auc = self.result()
        positives, negatives = self._rows()
        q1, q2 = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
        variance = (
            auc * (1.0 - auc)
            + (positives - 1.0) * (q1 - auc**2)
            + (negatives - 1.0) * (q2 - auc**2)
        ) / (positives * negatives)
        return tf.sqrt(tf.maximum(variance, 0.0))

    def evidence(self) -> tf.Tensor:
        """Return the number of positives or of negatives, the smaller one."""
        return tf.minimum(*self._rows())

    def _rows(self) -> tuple[tf.Tensor, tf.Tensor]:
        positives, negatives = tf.reduce_sum(self.positives), tf.reduce_sum(self.negatives)
        squares = tf.identity(self.squares)
        return effective_rows(positives, squares[0]), effective_rows(negatives, squares[1])


class MeanError(TaskMetric):
    """The mean error of rows: log loss of a binary task, squared error of a regression.

    Args:
        binary: whether the task is binary.
        name: the name of the metric.
    """

    def __init__(self, *, binary: bool, name: str) -> None:
        super().__init__(name=name)
        self.binary = binary
        self.rows, self.positives = self._count("rows"), self._count("positives")
        self.errors, self.squares = self._count("errors"), self._count("squares")
        self.squared_weights = self._count("squared_weights")
        self.squared_weights_of_positives = self._count("squared_weights_of_positives")

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        """Count rows: labels and logits (B, 1), weights (B,)."""
        labels, logits = tf.reshape(y_true, [-1]), tf.reshape(y_pred, [-1])
        weights = tf.ones_like(labels) if sample_weight is None else sample_weight
        errors = (
            tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
            if self.binary
            else tf.math.squared_difference(labels, logits)
        )
        weights, errors = tf.cast(weights, tf.float64), tf.cast(errors, tf.float64)
        self.rows.assign_add(tf.reduce_sum(weights))
        self.positives.assign_add(tf.reduce_sum(weights * tf.cast(labels, tf.float64)))
        self.errors.assign_add(tf.reduce_sum(weights * errors))
        self.squares.assign_add(tf.reduce_sum(weights * errors**2))
        self.squared_weights.assign_add(tf.reduce_sum(weights**2))
        self.squared_weights_of_positives.assign_add(
            tf.reduce_sum(weights**2 * tf.cast(labels, tf.float64))
        )

    def result(self) -> tf.Tensor:
        """Return the mean error; NaN without a row."""
        return self.errors / self.rows

    def standard_error(self) -> tf.Tensor:
        """Return the standard error of a mean of independent rows."""
        mean = self.errors / self.rows
        variance = tf.maximum(self.squares / self.rows - mean**2, 0.0)
        return tf.sqrt(variance / effective_rows(self.rows, self.squared_weights))

    def evidence(self) -> tf.Tensor:
        """Return the number of rows; of a binary task, of those with the rarer label."""
        if not self.binary:
            return effective_rows(self.rows, self.squared_weights)
        return tf.minimum(
            effective_rows(self.positives, self.squared_weights_of_positives),
            effective_rows(
                self.rows - self.positives,
                self.squared_weights - self.squared_weights_of_positives,
            ),
        )


def task_metric(task: Task) -> TaskMetric:
    """Make the validation metric of a task."""
    if task.validation_metric == "auc":
        return LogitAUC()
    return MeanError(binary=task.kind == "binary", name=task.validation_metric)
