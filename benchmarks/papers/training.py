"""The training of one contender with several seeds, up to its validation and test scores."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.papers.closed_parts import closed_parts
from benchmarks.papers.comparison import Scores
from benchmarks.papers.workload import Examples as Columns
from benchmarks.papers.workload import Workload
from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from trainer.fit.base_rates import begin_at_base_rates
from trainer.fit.divergence import DivergenceCheck
from trainer.fit.early_stopping import EarlyStopping
from trainer.fit.multi_task_ranker import MultiTaskRanker
from trainer.inputs.examples import Examples
from trainer.network.network import Network
from trainer.settings.train_config import Settings

_SCORED_ROWS = 8192


class Trainee:
    """A network that is trained several times, because XLA takes long to compile it.

    Each training begins with the weights, optimisers and order of the examples that its seed draws,
    as the first training of a process does. Dropout and the noise of hard-concrete gates follow the
    seed of the settings.

    Args:
        workload: gives the tasks, and examples of the shapes that the network is trained on.
        settings: the settings of the model and the run.
    """

    def __init__(self, workload: Workload, settings: Settings) -> None:
        self._settings = settings
        self._tasks, self._layout = workload.tasks, workload.layout
        self._two_rows = {
            name: tf.constant(values[:2]) for name, values in workload.splits[TRAIN].items()
        }
        self.network = self._new_network(settings.trainer.seed)
        self._model = MultiTaskRanker(self.network, self._tasks, settings.trainer)
        self._model.compile_for_training()
        self._balancing_at_start = [
            variable.numpy() for variable in self._model.balancing.variables
        ]
        self._score = tf.function(
            lambda features: self.network.scores(self.network(features)),
            reduce_retracing=True,
            autograph=False,
        )

    def train(self, workload: Workload, seed: int) -> dict[str, Scores]:
        """Train with the joint loss, optimisers and early stopping of `fulcrum run`.

        Returns:
            The scores of the best epoch's weights on the splits validation and evaluation, by
            split.
        """
        self.network.set_weights(self._new_network(seed).get_weights())
        examples = Examples(workload.splits[TRAIN])
        begin_at_base_rates(self.network, examples)
        self._model.clock.assign(0)
        self._model.step.assign(0)
        self._model.finite.assign(True)
        self._forget_gradients()
        for variable, value in zip(
            self._model.balancing.variables, self._balancing_at_start, strict=True
        ):
            variable.assign(value)
        run = self._settings.trainer
        validation = Examples(workload.splits[VALIDATION])
        check = DivergenceCheck(self._layout, examples, validation)
        with tempfile.TemporaryDirectory(prefix="fulcrum-papers-") as checkpoints:
            steps = examples.rows // run.batch_size
            stopping = EarlyStopping(
                self._tasks,
                validation.in_order(_SCORED_ROWS),
                run,
                Path(checkpoints),
                steps_per_epoch=steps,
                after_validation=check.after_validation,
            )
            stopping.set_model(self._model)
            self._model.fit(
                examples.shuffled(run.batch_size, seed),
                epochs=run.epochs,
                steps_per_epoch=steps,
                callbacks=[check, stopping],
                verbose=0,
            )
            stopping.restore_best()
        return {split: self._scores(workload.splits[split]) for split in (VALIDATION, EVALUATION)}

    def _new_network(self, seed: int) -> Network:
        tf.keras.utils.set_random_seed(seed)
        network = Network(self._layout, self._settings)
        network(self._two_rows)  # makes the variables
        return network

    def _forget_gradients(self) -> None:
        composite = self._model.optimizer
        composite.iterations.assign(0)
        for optimizer in composite.optimizers:
            start = optimizer.get_config().get("initial_accumulator_value", 0.0)
            for slot in optimizer.weights:
                slot.assign(
                    tf.fill(
                        slot.shape,
                        tf.cast(0 if slot is optimizer.iterations else start, slot.dtype),
                    )
                )

    def _scores(self, examples: Columns) -> Scores:
        parts = [self._score(batch) for batch in Examples(examples).in_order(_SCORED_ROWS)]
        return {
            task: np.concatenate([part[task].numpy() for part in parts]) for task in self._tasks
        }


class Trained(NamedTuple):
    """A finished training.

    Attributes:
        seed: its seed.
        scores: scores by split and task.
        parameters: the number of weights.
        closed: what gates and masks closed, by the validation part; see `closed_parts`.
    """

    seed: int
    scores: dict[str, dict[str, Any]]
    parameters: int
    closed: dict[str, float]


def train(
    settings: Settings,
    groups: Sequence[Sequence[str]],
    seeds: Iterable[int],
    workload_of: Callable[[int], Workload],
) -> Iterator[Trained]:
    """Train with each seed in turn.

    Args:
        settings: the settings of the model and the run; the seed in them does not count.
        groups: groups of tasks that are trained together.
        seeds: the seeds of the trainings.
        workload_of: returns the workload of a seed.
    """
    trainees: list[Trainee] = []
    for seed in seeds:
        scores: dict[str, dict[str, Any]] = {VALIDATION: {}, EVALUATION: {}}
        for position, group in enumerate(groups):
            part = workload_of(seed).of_tasks(group)
            if position == len(trainees):
                trainees.append(Trainee(part, settings))
            for split, of_split in trainees[position].train(part, seed).items():
                scores[split].update(of_split)
        yield Trained(
            seed,
            scores,
            sum(trainee.network.count_params() for trainee in trainees),
            closed_parts(trainees[0].network, part.splits[VALIDATION]),
        )
