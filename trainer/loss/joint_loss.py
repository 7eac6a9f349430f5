"""The joint loss of PLE: each task counts on its own sample space, or that of its chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf
import tensorflow_recommenders as tfrs

from feature_spec.tasks.chain import conditions
from feature_spec.tasks.task import Task
from trainer.distribute.strategies import sum_over_replicas
from trainer.loss.chain_loss import ChainLoss, WholeSpace, whole_space
from trainer.loss.task_metrics import TaskMetric, task_metric


class TaskLoss(tf.keras.layers.Layer):
    """L_k of PLE, Eq 9: the mean loss over the rows of a batch in task k's sample space.

    L_k is 0 if no row lies in the sample space. If several replicas share a batch, each returns the
    part of its own rows, and the sum over replicas is L_k.

    Args:
        task: the task. Its kind chooses cross-entropy (binary) or squared error (regression).
    """

    def __init__(self, task: Task, **kwargs: object) -> None:
        super().__init__(**kwargs)
        reduction = tf.keras.losses.Reduction.SUM
        binary = task.kind == "binary"
        self.ranking = tfrs.tasks.Ranking(
            loss=tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
            if binary
            else tf.keras.losses.MeanSquaredError(reduction=reduction),
            metrics=[task_metric(task)],
        )

    def call(
        self,
        labels: tf.Tensor,
        logits: tf.Tensor,
        masks: tf.Tensor,
        size: tf.Tensor,
        compute_metrics: bool = True,
    ) -> tf.Tensor:
        """Compute L_k.

        Args:
            labels: (B,).
            logits: (B,).
            masks: δ, 1 (or the weight of the row) in the sample space and 0 for others, (B,).
            size: Σδ over the whole batch, a scalar.
            compute_metrics: whether the task's metric is updated, too.
        """
        # A row outside may have no label, and 0 · NaN is NaN.
        labels = tf.where(masks > 0.0, labels, tf.zeros_like(labels))
        # The losses of Keras average over the last axis: make it 1 long.
        labels, logits = labels[:, tf.newaxis], logits[:, tf.newaxis]
        total = self.ranking(labels, logits, sample_weight=masks, compute_metrics=compute_metrics)
        # Keras would divide by the batch size; Eq 9 divides by the size of the sample space.
        return total / tf.where(size > 0.0, size, 1.0)

    @property
    def metric(self) -> TaskMetric:
        """The task's metric over all batches since the last reset."""
        metric: TaskMetric = self.ranking._ranking_metrics[0]  # noqa: SLF001
        return metric


class DistributionHead(Protocol):
    """A tower that predicts how a label is distributed."""

    def expected(self, outputs: tf.Tensor) -> tf.Tensor:
        """Return the mean of the distribution: outputs (B, points) → (B,)."""

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row, (B,), of labels (B,) and outputs (B, points)."""


class DistributionLoss(tf.keras.layers.Layer):
    """L_k of PLE, Eq 9, of a task whose tower predicts how its label is distributed.

    Args:
        task: the task, whose metric judges the mean.
        tower: the task's tower, whose loss it is.
    """

    def __init__(self, task: Task, tower: DistributionHead, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.metric: TaskMetric = task_metric(task)
        self._tower = tower

    def call(
        self,
        labels: tf.Tensor,
        logits: tf.Tensor,
        masks: tf.Tensor,
        size: tf.Tensor,
        compute_metrics: bool = True,
    ) -> tf.Tensor:
        """Compute L_k; see `TaskLoss.call`, whose logits are (B, K) here."""
        labels = tf.where(masks > 0.0, labels, tf.zeros_like(labels))
        if compute_metrics:
            self.metric.update_state(labels, self._tower.expected(logits), masks)
        total = tf.reduce_sum(masks * self._tower.losses(labels, logits))
        return total / tf.where(size > 0.0, size, 1.0)


def sample_space_sizes(masks: tf.Tensor) -> tf.Tensor:
    """Compute Σδ of each task over the batches of all replicas: masks (B, K) → (K,)."""
    return sum_over_replicas(tf.reduce_sum(masks, axis=0))


def imputed_name(task: str) -> str:
    """Return the name of the logits of a task's imputation tower, which no task can have."""
    return f"imputed {task}"


def _chain(name: str, tasks: Mapping[str, Task]) -> list[str]:
    before = conditions(tasks, name)
    if not before or tasks[before[0]].given is not None:
        raise ValueError(
            f"{name}: chain {tasks[name].chain} needs {tasks[(before or [name])[0]].given!r}; the "
            f"tasks are {', '.join(tasks)}"
        )
    return [*before, name]


class JointLoss(tf.keras.layers.Layer):
    """Σ_k ω_k^(t) L_k with ω_k^(t) = ω_k,0 · γ_k^t (PLE, Eq 8–10).

    The loss of a regression is in units of its labels' variance, so that no unit of a label decides
    how much its task counts; that of a head is its tower's own. L_k of a task with a `chain` is
    that of `ChainLoss`, over the whole space; its metric is over its own sample space, as that of
    all tasks.

    Args:
        tasks: tasks by name, in the order of the columns of labels and masks.
        deviations: the standard deviation of the labels of regressions, scalars by task. Defaults
            to 1 for all.
        negative_rates: the share of negatives that were kept, of sampled tasks.
        heads: the towers that predict how a label is distributed, by task.

    Raises:
        ValueError: a task with a chain lacks one of the tasks before it.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        deviations: Mapping[str, tf.Variable] | None = None,
        negative_rates: Mapping[str, float] | None = None,
        heads: Mapping[str, DistributionHead] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.deviations = dict(deviations or {})
        self.task_names = list(tasks)
        self.chains = {
            name: _chain(name, tasks) for name, task in tasks.items() if task.chain is not None
        }
        self.losses_of: dict[str, TaskLoss | ChainLoss | DistributionLoss] = {
            name: ChainLoss(task, (negative_rates or {}).get(self.chains[name][0], 1.0), name=name)
            if name in self.chains
            else DistributionLoss(task, heads[name], name=name)
            if heads and name in heads
            else TaskLoss(task, name=name)
            for name, task in tasks.items()
        }
        self.initial_weights = {name: task.loss_weight for name, task in tasks.items()}
        self.update_ratios = {name: task.loss_weight_update_ratio for name, task in tasks.items()}

    def call(
        self,
        labels: tf.Tensor,
        logits: Mapping[str, tf.Tensor],
        masks: tf.Tensor,
        sizes: tf.Tensor,
        *,
        clock: tf.Tensor,
        compute_metrics: bool = True,
    ) -> dict[str, tf.Tensor]:
        """Compute the weighted loss of each task; the joint loss is their sum.

        Args:
            labels: (B, K).
            logits: by task, (B,), or (B, points) with a head; of `escm2_dr`, also those of
                `imputed_name`.
            masks: δ, (B, K).
            sizes: the result of `sizes`, (K,). The caller computes it, because XLA cannot sum over
                replicas.
            clock: t of Eq 10, a scalar.
            compute_metrics: whether the tasks' metrics are updated, too.
        """
        losses = self.task_losses(labels, logits, masks, sizes, compute_metrics=compute_metrics)
        return {name: weight * losses[name] for name, weight in self.weights(clock).items()}

    def task_losses(
        self,
        labels: tf.Tensor,
        logits: Mapping[str, tf.Tensor],
        masks: tf.Tensor,
        sizes: tf.Tensor,
        *,
        compute_metrics: bool = True,
    ) -> dict[str, tf.Tensor]:
        """Compute L_k of each task, unweighted; see `call` for the arguments."""
        losses = {}
        for position, name in enumerate(self.task_names):
            loss = self.losses_of[name]
            if not isinstance(loss, ChainLoss):
                losses[name] = loss(
                    labels[:, position],
                    logits[name],
                    masks[:, position],
                    sizes[position],
                    compute_metrics=compute_metrics,
                )
                continue
            losses[name] = loss(
                self._whole_space(name, labels, masks),
                [logits[task] for task in self.chains[name]],
                sizes[position],
                logits.get(imputed_name(name)),
            )
            if compute_metrics:
                inside = masks[:, position]
                known = tf.where(inside > 0.0, labels[:, position], 0.0)
                loss.metric.update_state(known, logits[name], inside)
        return losses | {
            name: losses[name] / tf.square(deviation) for name, deviation in self.deviations.items()
        }

    def sizes(self, labels: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        """Compute what the losses divide by over the batches of all replicas, (K,).

        It is the size of a task's sample space, or of the whole space of its chain.

        Args:
            labels: (B, K).
            masks: δ, (B, K).
        """
        if not self.chains:
            return sample_space_sizes(masks)
        weights = [
            self._whole_space(name, labels, masks).weights
            if name in self.chains
            else masks[:, position]
            for position, name in enumerate(self.task_names)
        ]
        return sample_space_sizes(tf.stack(weights, axis=1))

    def _whole_space(self, name: str, labels: tf.Tensor, masks: tf.Tensor) -> WholeSpace:
        columns = [self.task_names.index(task) for task in self.chains[name]]
        return whole_space(labels, masks, columns, self.losses_of[name].negative_rate)

    def weights(self, clock: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return ω_k^(t) of each task, scalars."""
        t = tf.cast(clock, tf.float32)
        return {
            name: self.initial_weights[name] * tf.pow(self.update_ratios[name], t)
            for name in self.task_names
        }
