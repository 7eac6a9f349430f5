"""Losses of conditional probabilities over the whole space, not only where the condition holds.

A chain begins with a task over the whole space D, such as click; a later task, such as buy, has
labels r only where the condition o holds: all tasks before it have the label 1. The product of the
probabilities along the chain is compared with what everyone can see, o · r.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from feature_spec.tasks.task import Task
from trainer.loss.task_metrics import TaskMetric, task_metric


class WholeSpace(NamedTuple):
    """The rows of a batch as a task at the end of a chain sees them, (B,) each.

    Attributes:
        weights: how much a row counts in D. A negative of the chain's first task of which a share
            was kept stands for those that were dropped, too. 0 outside the sample space of the
            first task, and where a label is unknown although the condition before it holds.
        condition: o, 1 or 0.
        events: o · r; r lies between 0 and 1.
    """

    weights: tf.Tensor
    condition: tf.Tensor
    events: tf.Tensor


def whole_space(
    labels: tf.Tensor, masks: tf.Tensor, columns: Sequence[int], negative_rate: float = 1.0
) -> WholeSpace:
    """Read the whole space from the labels and masks of a chain's tasks.

    Args:
        labels: (B, K).
        masks: δ, or the weights of rows in the sample spaces, (B, K).
        columns: the tasks of the chain in order.
        negative_rate: the share of negatives of the first task that were kept.
    """
    weights = masks[:, columns[0]]
    condition = tf.ones_like(weights)
    for column in columns:
        inside = masks[:, column] > 0.0
        weights = tf.where((condition == 0.0) | inside, weights, 0.0)
        # Labels outside the sample space may be no numbers.
        events = condition * tf.where(inside, labels[:, column], 0.0)
        if column != columns[-1]:
            condition = events
        if column == columns[0] and negative_rate != 1.0:
            weights = tf.where(events > 0.0, weights, weights / negative_rate)
    return WholeSpace(weights, condition, events)


def log_joint(logits: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log Π σ(z_i) and log(1 − Π σ(z_i)), (B,) each, exact where a probability rounds to 1.

    Args:
        logits: z_i along the chain, (B,) each.
    """
    happened, not_happened = tf.math.log_sigmoid(logits[0]), tf.math.log_sigmoid(-logits[0])
    for logit in logits[1:]:
        # Either an earlier event did not happen, or all did and this one did not.
        missed = happened + tf.math.log_sigmoid(-logit)
        not_happened = tf.reduce_logsumexp(tf.stack([not_happened, missed]), axis=0)
        happened += tf.math.log_sigmoid(logit)
    return happened, not_happened


class ChainLoss(tf.keras.layers.Layer):
    """The loss of a conditional probability p over the whole space D, by `Task.chain`.

    With p̂ = max(sg(P(o)), ε), where sg stops the gradient and P(o) is the product of the
    probabilities before it in the chain; with ℓ(r, p) the cross-entropy, and L_joint the mean
    cross-entropy of o·r and P(o)·p over D:

    - `esmm`: L_joint. Nothing compares p with r itself.
    - `escm2_ips`: (1/|D|) Σ_D o·ℓ(r, p) / p̂ + λ_g · L_joint.
    - `escm2_dr`: (1/|D|) Σ_D [ℓ̂ + o·(ℓ − ℓ̂) / p̂] + (1/|D|) Σ_D o·(sg(ℓ) − ℓ̂')² / p̂ +
      λ_g · L_joint, where ℓ̂ = ℓ(r̂, p) is the error imputed by a tower that predicts r̂ for all
      rows. The tower learns from the second term alone, in which p stands still, and r̂ in the
      first term.

    Sampling of negatives is undone before any product: P(o) is that of all logged rows, and kept
    negatives count for the dropped ones.

    Args:
        task: the task, with its `chain`.
        negative_rate: the share of negatives of the chain's first task that were kept.

    References:
        Ma et al., Entire space multi-task model, SIGIR 2018: https://arxiv.org/abs/1804.07931

        Wang et al., ESCM²: entire space counterfactual multi-task model for post-click conversion
        rate estimation, SIGIR 2022: https://arxiv.org/abs/2204.05125
    """

    def __init__(self, task: Task, negative_rate: float = 1.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.chain, self.negative_rate = task.chain, negative_rate
        self.joint_weight, self.floor = task.joint_weight, task.propensity_floor
        self.metric: TaskMetric = task_metric(task)

    def call(
        self,
        space: WholeSpace,
        logits: Sequence[tf.Tensor],
        size: tf.Tensor,
        imputed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Compute the loss, a scalar; of this replica's rows if replicas share a batch.

        Args:
            space: the batch.
            logits: the logits of the chain's tasks in order, (B,) each, as the network gives them.
            size: |D|, the sum of the weights over the whole batch.
            imputed: the logits of r̂, (B,), for `escm2_dr`.
        """
        # The first task learnt from kept negatives: its odds are too high by their rate.
        undone = [logits[0] + math.log(self.negative_rate), *logits[1:]]
        happened, not_happened = log_joint(undone)
        errors = -space.events * happened - (1.0 - space.events) * not_happened
        if self.chain != "esmm":
            condition = tf.exp(tf.stop_gradient(log_joint(undone[:-1])[0]))
            propensity = space.condition / tf.maximum(condition, self.floor)
            counterfactual = (
                self._doubly_robust(space.events, logits[-1], imputed, propensity)
                if self.chain == "escm2_dr"
                else propensity * _cross_entropy(space.events, logits[-1])
            )
            errors = counterfactual + self.joint_weight * errors
        total = tf.reduce_sum(space.weights * errors)
        return total / tf.where(size > 0.0, size, 1.0)

    @staticmethod
    def _doubly_robust(
        labels: tf.Tensor, logits: tf.Tensor, imputed: tf.Tensor | None, propensity: tf.Tensor
    ) -> tf.Tensor:
        """Return the errors with those imputed, and the errors of imputing, (B,).

        Args:
            labels: r where the condition holds.
            logits: of p.
            imputed: the logits of r̂.
            propensity: o / p̂.
        """
        if imputed is None:
            raise ValueError("escm2_dr needs the logits of its imputation tower")
        guess = tf.sigmoid(imputed)
        fixed = tf.stop_gradient(guess)
        # ℓ is linear in r, so ℓ̂ + o(ℓ − ℓ̂)/p̂ is the cross-entropy of a corrected guess.
        robust = _cross_entropy(fixed + propensity * (labels - fixed), logits)
        # ℓ − ℓ̂ = (r̂ − r) · logit.
        difference = (guess - labels) * tf.stop_gradient(logits)
        return robust + propensity * tf.square(difference)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
