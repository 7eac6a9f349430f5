"""The trainable model: a network under the joint loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from feature_spec import names
from feature_spec.tasks.task import Task
from trainer.distribute.strategies import sum_over_replicas
from trainer.fit.optimizers import make_optimizer
from trainer.fit.validation_objectives import Measured
from trainer.layers.noise import noise_of
from trainer.loss.balancing import synchronised_variable
from trainer.loss.balancing_methods import make_balancing
from trainer.loss.gradient_balancing import Gradient, GradientBalancing
from trainer.loss.joint_loss import JointLoss
from trainer.network.network import Lookups, Network
from trainer.settings.train_config import TrainerSettings

# The steps that Keras runs in one call of a graph. Its work between two calls takes as long as a
# tenth of a step.
STEPS_PER_EXECUTION = 50

# Runs steps on the batches of an iterator, and returns means by name.
_Steps = Callable[[Iterator[Any]], dict[str, tf.Tensor]]


class MultiTaskRanker(tfrs.Model):
    """Trains a network under the joint loss.

    Under `tf.distribute` a step over a batch that replicas share equals the step of one replica
    over the whole batch: the terms of a replica are its part of the joint loss, and gradients are
    summed over replicas. Create the model in the strategy's scope.

    Args:
        network: a built network.
        tasks: tasks by name, in the network's order.
        settings: the settings of the trainer.
        compiled: whether XLA compiles the dense part of a step, which takes as long as hundreds of
            steps of a small network.
        negative_rates: the share of negatives that were kept, of sampled tasks.

    Attributes:
        dense_gradients: a step without reading and updating the tables; see `_gradients`.
        step: the number of steps taken, int64.
        finite: False from the first step on whose loss or gradient is infinite or not a number. No
            further step is taken then.
    """

    def __init__(
        self,
        network: Network,
        tasks: Mapping[str, Task],
        settings: TrainerSettings,
        *,
        compiled: bool = True,
        negative_rates: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        deviations = {
            name: tower.deviation
            for name, tower in zip(tasks, network.towers, strict=True)
            if tower.standardised
        }
        self.joint_loss = JointLoss(
            tasks, deviations, negative_rates, network.heads, name="joint_loss"
        )
        self.balancing = make_balancing(settings, list(tasks.values()))
        self.settings = settings
        # t of PLE, Eq 10. It is a variable, so that a checkpoint carries it.
        self.clock = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="loss_weight_clock",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.step = synchronised_variable(tf.constant(0, tf.int64), "step")
        self.finite = synchronised_variable(tf.constant(True), "finite")
        # Metrics cover all replicas already. Keras would add up the workers' results once more.
        self.distribute_reduction_method = "first"
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        jit_compile = True if compiled else None
        self.dense_gradients = tf.function(
            self._gradients, autograph=False, jit_compile=jit_compile
        )
        self._losses_again = tf.function(
            self._task_losses, autograph=False, jit_compile=jit_compile
        )
        terms = [*tasks, *network.sharing.penalties()]
        self.means = {
            name: tf.keras.metrics.Mean(name=name)
            for name in ["loss", *(f"loss_{term}" for term in terms)]
        }

    @property
    def steps_taken(self) -> int:
        """The number of steps taken, outside of a graph."""
        return int(tf.identity(self.step))

    @property
    def dense_variables(self) -> list[tf.Variable]:
        """All trained variables but the tables. They change in each step."""
        tables = {table.ref() for table in self.network.embedding_tables}
        own = [
            variable
            for variable in self.network.trainable_variables
            if variable.ref() not in tables
        ]
        return [*own, *self.balancing.trainable_variables]

    def call(
        self, features: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> dict[str, tf.Tensor]:
        """Compute scores by task, (B,), from transformed features."""
        return self.network.scores(self.network(features, training=training))

    def _task_losses(
        self,
        lookups: Lookups,
        inputs: Mapping[str, tf.Tensor],
        sizes: tf.Tensor,
        step: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Compute this replica's part of each task's own loss, with the noise of a step."""
        with noise_of(self.settings.seed, step):
            flat_inputs = self.network.flat_inputs(lookups, inputs, training=True)
            logits = self.network.logits(flat_inputs, lookups, training=True, imputed=True)
        return self.joint_loss.task_losses(
            inputs[names.LABELS], logits, inputs[names.MASKS], sizes, compute_metrics=False
        )

    def _terms(
        self,
        lookups: Lookups,
        inputs: Mapping[str, tf.Tensor],
        sizes: tf.Tensor,
        clock: tf.Tensor,
        step: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor]]:
        """Compute the terms of the joint loss from what was looked up.

        Metrics are left out: they cost time, and the model changes from step to step.

        Returns:
            This replica's part of each task's weighted loss, by name; of the architecture's
            penalties, by name; and of each task's own loss, if the balancing reads losses. The
            joint loss is the sum of the first two, over all replicas.
        """
        losses = self._task_losses(lookups, inputs, sizes, step)
        own = list(losses.values())
        balanced = self.balancing.weigh(own, tf.cast(sizes > 0.0, tf.float32) / self._replicas)
        weights = self.joint_loss.weights(clock)
        weighted = {name: weights[name] * loss for name, loss in zip(losses, balanced, strict=True)}
        # Replicas hold the same weights, so each counts its share of the penalties.
        penalties = {
            name: penalty / self._replicas
            for name, penalty in self.network.sharing.penalties_at(step).items()
        }
        return weighted, penalties, own if self.balancing.reads_losses else []

    def _gradients(
        self,
        lookups: Lookups,
        inputs: Mapping[str, tf.Tensor],
        sizes: tf.Tensor,
        clock: tf.Tensor,
        step: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor], list[list[tf.Tensor]]]:
        """Run a step forwards and backwards, without the tables, as one program for XLA.

        Returns:
            The terms of the joint loss by name; each task's own loss, if the balancing reads
            losses; and the gradients of the joint loss (of each term, if the balancing combines
            gradients) for what was looked up and then for the dense variables.
        """
        by_term = isinstance(self.balancing, GradientBalancing)
        with tf.GradientTape(persistent=by_term) as tape:
            tape.watch(lookups)
            weighted, penalties, own = self._terms(lookups, inputs, sizes, clock, step)
            terms = weighted | penalties
            differentiated = list(terms.values()) if by_term else [tf.add_n(list(terms.values()))]
        sources = [*tf.nest.flatten(lookups), *self.dense_variables]
        zero = tf.UnconnectedGradients.ZERO
        return (
            terms,
            own,
            [tape.gradient(value, sources, unconnected_gradients=zero) for value in differentiated],
        )

    def train_step(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Run one step and return the means of the terms since the epoch began."""
        sizes = self.joint_loss.sizes(inputs[names.LABELS], inputs[names.MASKS])
        tables = self.network.embedding_tables
        # Tables and their row-sparse gradients stay outside of XLA, which would make them dense.
        with tf.GradientTape(persistent=True) as tape:
            lookups = self.network.look_up(inputs)
        terms, own, gradients = self.dense_gradients(
            lookups, dict(inputs), sizes, self.clock, self.step
        )
        read = tf.nest.flatten(lookups)
        by_variable = [
            [*tape.gradient(read, tables, of[: len(read)]), *of[len(read) :]] for of in gradients
        ]
        losses = sum_over_replicas(tf.stack(own)) if own else None
        variables = [*tables, *self.dense_variables]
        combined = (
            self._balanced(by_variable, losses, sizes)
            if isinstance(self.balancing, GradientBalancing)
            else sum_over_replicas(by_variable[0])
        )
        loss = sum_over_replicas(tf.add_n(list(terms.values())))
        clipped = self._clipped(combined, loss)
        self.optimizer.apply_gradients(
            zip(clipped, variables, strict=True), experimental_aggregate_gradients=False
        )
        if losses is not None:
            self.balancing.observe(losses, sizes)
        if losses is not None and self.balancing.reads_losses_again:
            lookups = self.network.look_up(inputs)
            again = self._losses_again(lookups, dict(inputs), sizes, self.step)
            after = sum_over_replicas(tf.stack(list(again.values())))
            self.balancing.observe_again(losses, after, sizes)
        self.step.assign_add(1)
        if self.settings.loss_weight_clock == "step":
            self.clock.assign_add(1)
        return self._means(
            {"loss": tf.add_n(list(terms.values()))}
            | {f"loss_{name}": term for name, term in terms.items()}
        )

    def _clipped(self, gradients: list[Gradient], loss: tf.Tensor) -> list[Gradient]:
        """Scale gradients to a global norm of at most `gradient_clip_norm`.

        Gradients that are not finite stay as they are, so that the weights tell whose they were.

        Args:
            gradients: of all variables, summed over replicas. A row of a table may occur in them
                more than once.
            loss: the joint loss.
        """
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        self.finite.assign(finite)
        if self.settings.gradient_clip_norm is None:
            return gradients
        limit = self.settings.gradient_clip_norm
        scale = tf.where(finite, limit / tf.maximum(norm, limit), 1.0)
        return [
            tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
            if isinstance(gradient, tf.IndexedSlices)
            else gradient * scale
            for gradient in gradients
        ]

    def _balanced(
        self, gradients: list[list[tf.Tensor]], losses: tf.Tensor, sizes: tf.Tensor
    ) -> list[tf.Tensor]:
        """Combine the gradients of all terms by the balancing; penalties count as they are."""
        variables = [*self.network.embedding_tables, *self.dense_variables]
        own = {
            variable.ref()
            for tower in [*self.network.towers, *self.network.imputations]
            for variable in tower.trainable_variables
        }
        weights = tf.stack(list(self.joint_loss.weights(self.clock).values()))
        shared = [variable.ref() not in own for variable in variables]
        # The balancing is not linear in the gradients, so it needs those of the whole batch.
        return self.balancing.combine(
            [sum_over_replicas(values) for values in gradients], shared, losses, sizes, weights
        )

    def test_step(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Evaluate one batch of the validation."""
        labels, masks = inputs[names.LABELS], inputs[names.MASKS]
        sizes = self.joint_loss.sizes(labels, masks)
        lookups = self.network.look_up(inputs)
        flat_inputs = self.network.flat_inputs(lookups, inputs)
        logits = self.network.logits(flat_inputs, lookups, imputed=True)
        terms = self.joint_loss(labels, logits, masks, sizes, clock=self.clock)
        return self._means(
            {"loss": tf.add_n(list(terms.values()))}
            | {f"loss_{name}": term for name, term in terms.items()}
        )

    def _means(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in values.items():
            # The means average over replicas, too, but the values are parts of a sum.
            self.means[name].update_state(value * self._replicas)
        return {name: self.means[name].result() for name in values}

    def make_train_function(self, force: bool = False) -> _Steps:
        """Make the graph of a training's steps. `fit` calls it."""
        if self.train_function is None or force:
            self.train_function: _Steps | None = self._repeated(
                self.train_step, self._train_counter
            )
        return self.train_function

    def make_test_function(self, force: bool = False) -> _Steps:
        """Make the graph of a validation's steps. `evaluate` calls it."""
        if self.test_function is None or force:
            self.test_function: _Steps | None = self._repeated(self.test_step, self._test_counter)
        return self.test_function

    def _repeated(self, step: Callable[[Any], Any], counter: tf.Variable) -> _Steps:
        """Make a graph that runs a step on each of the next batches.

        Keras' own would trace the step twice, and have AutoGraph rewrite all that it calls, which
        for a small training takes longer than the steps.
        """

        @tf.function(autograph=False, reduce_retracing=True)
        def run_steps(batches: Iterator[Any]) -> dict[str, tf.Tensor]:
            steps = self._steps_per_execution.value()

            def run_step(done: tf.Tensor) -> tf.Tensor:
                self.distribute_strategy.run(step, args=(next(batches),))
                counter.assign_add(1)
                return done + 1

            def goes_on(done: tf.Tensor) -> tf.Tensor:
                return (done < steps) & self.finite

            tf.while_loop(goes_on, run_step, [tf.zeros_like(steps)])
            return {name: mean.result() for name, mean in self.means.items()}

        return run_steps

    def validation_metrics(self) -> dict[str, Measured]:
        """Return the metric of each task over the batches evaluated since the last reset."""
        return {
            name: Measured(
                *map(float, (metric.result(), metric.standard_error(), metric.evidence()))
            )
            for name, loss in self.joint_loss.losses_of.items()
            for metric in [loss.metric]
        }

    def compile_for_training(self) -> None:
        """Compile with the optimizers of the settings. The network must have its variables."""
        coefficients = [*self.network.sharing.coefficients, *self.balancing.trainable_variables]
        apart = {variable.ref() for variable in coefficients}
        dense = [variable for variable in self.dense_variables if variable.ref() not in apart]
        tables = self.network.embedding_tables
        self.compile(
            optimizer=make_optimizer(self.settings, tables, dense, coefficients),
            steps_per_execution=STEPS_PER_EXECUTION,
        )
