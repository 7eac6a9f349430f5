"""The trainable model: a network under the joint loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from feature_spec import names
from feature_spec.task import Task
from trainer.joint_loss import JointLoss, sample_space_sizes
from trainer.network import Network
from trainer.settings import TrainerSettings


class MultiTaskRanker(tfrs.Model):
    """Fits a network.

    Under `tf.distribute` a step over a batch that replicas share equals the step of one replica over all of it: each replica's
    terms are its part of the joint loss's terms, and gradients are summed over replicas. Create it in the strategy's scope.

    Args:
        network: what is trained; it has its variables.
        tasks: tasks by name, in the order of the network's.
        settings: of the run.
    """

    def __init__(self, network: Network, tasks: Mapping[str, Task], settings: TrainerSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.joint_loss = JointLoss(tasks, name="joint_loss")
        self.settings = settings
        # t of PLE Eq 10. A variable, so that a checkpoint carries it.
        self.clock = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="loss_weight_clock",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self._compiled_terms = tf.function(self._terms, jit_compile=True)
        terms = [*tasks, *network.sharing.penalties()]
        self.means = {name: tf.keras.metrics.Mean(name=name) for name in ["loss", *(f"loss_{term}" for term in terms)]}

    def call(self, features: Mapping[str, tf.Tensor], training: bool | None = None) -> dict[str, tf.Tensor]:
        """Transformed features → scores by task, (B,)."""
        return self.network.scores(self.network(features, training=training))

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """The terms of the joint loss of a batch of transformed features with labels and masks, both (B, K).

        Returns:
            By name, scalars: this replica's part of each task's weighted loss and of the architecture's penalties. The joint
            loss is their sum, over replicas too.
        """
        labels, masks = inputs[names.LABELS], inputs[names.MASKS]
        sizes = sample_space_sizes(masks)
        if training:
            # Tables and their row-sparse gradients stay outside of XLA, which would make them dense.
            terms = self._compiled_terms(self.network.embed(inputs), labels, masks, sizes, self.clock)
            if self.settings.loss_weight_clock == "step":
                self.clock.assign_add(1)
            return terms
        return self.joint_loss(labels, self.network(inputs), masks, sizes, clock=self.clock)

    def _terms(
        self, x: list[tf.Tensor], labels: tf.Tensor, masks: tf.Tensor, sizes: tf.Tensor, clock: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """From field embeddings to the terms of the loss, without metrics: they cost time, and the model changes under them."""
        logits = self.network.logits(x, training=True)
        losses = self.joint_loss(labels, logits, masks, sizes, clock=clock, compute_metrics=False)
        # Replicas hold the same weights: each counts its share of what the weights cost.
        return losses | {name: penalty / self._replicas for name, penalty in self.network.sharing.penalties().items()}

    def train_step(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step; returns the means of the terms since the epoch began."""
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            terms = self.compute_loss(inputs, training=True)
            loss = tf.add_n(list(terms.values()))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self._means({"loss": loss} | {f"loss_{name}": term for name, term in terms.items()})

    def test_step(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One batch of the validation; the tasks' metrics are read at its end."""
        return self._means({"loss": tf.add_n(list(self.compute_loss(inputs, training=False).values()))})

    def _means(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in values.items():
            # These average over replicas, too, where values are parts of a sum.
            self.means[name].update_state(value * self._replicas)
        return {name: self.means[name].result() for name in values}

    def validation_metrics(self) -> dict[str, float]:
        """Each task's own metric over the batches evaluated since the last reset."""
        return {name: float(loss.metric.result()) for name, loss in self.joint_loss.losses_of.items()}

    def compile_for_training(self) -> None:
        """Adam for the dense part; Adagrad for the tables, because it changes only the rows that a batch reads.

        The network must have its variables by then.
        """
        optimizers = tf.keras.optimizers.legacy
        tables, coefficients = self.network.embedding_tables, self.network.sharing.coefficients
        apart = {variable.ref() for variable in [*tables, *coefficients]}
        dense = [variable for variable in self.network.trainable_variables if variable.ref() not in apart]
        parts = [
            (optimizers.Adagrad(self.settings.embedding_learning_rate), tables),
            (optimizers.Adam(self.settings.learning_rate), dense),
            (optimizers.Adam(self.settings.coefficient_learning_rate), coefficients),
        ]
        # The variables of an optimiser are asked for by a function; the default argument binds each one's own.
        self.compile(
            optimizer=tfrs.experimental.optimizers.CompositeOptimizer(
                [(optimizer, lambda variables=variables: variables) for optimizer, variables in parts if variables]
            )
        )
