"""Each task trained alone: what multi-task learning is measured against (the MTL gain of PLE, Eq 11).

"Alone" means the same network structure and the same samples: the model of the settings, built for
one task, with embeddings of its own, on all training examples. Nothing of the other tasks is left
in it: no experts, no loss, and no say in when to stop.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from feature_spec import names
from feature_spec.spec import FeatureSpec
from trainer.export.ranking_score import correct_sampling
from trainer.export.request_signature import parsed_fields
from trainer.fit.fitting import fit
from trainer.inputs.training_inputs import TrainingInputs, training_inputs
from trainer.inputs.training_job import TrainingJob
from trainer.network.network import Network
from trainer.settings.train_config import Settings, in_one_process

logger = logging.getLogger("fulcrum.trainer")


def train_single_tasks(job: TrainingJob) -> None:
    """Trains a network for each task and exports them as one SavedModel, with a score a task by `serving_default`.

    A run that was killed goes on where it was: a task that was done is not trained again.

    Args:
        job: of the model of all tasks.
    """
    inputs = training_inputs(job)
    # Not below the checkpoints of the model of all tasks, which has the same key.
    checkpoints = job.own_checkpoints.with_name(f"{job.key}-single-tasks")
    networks = {}
    for task in inputs.spec.tasks:
        logger.info("%s alone:", task)
        networks[task] = fit_alone(
            task,
            inputs,
            job.settings,
            checkpoint_folder=checkpoints / task,
            tensorboard_folder=f"{job.curves}/{task}",
        )
    ranker = SingleTaskRankers(inputs.spec, networks, inputs.transform.transform_features_layer())
    tf.saved_model.save(
        ranker, job.model, signatures={names.SERVING_DEFAULT: ranker.score_examples}
    )
    shutil.rmtree(checkpoints)


def fit_alone(
    task: str,
    inputs: TrainingInputs,
    settings: Settings,
    *,
    checkpoint_folder: Path,
    tensorboard_folder: str | None = None,
) -> Network:
    """Fits the settings' model to one task.

    Args:
        task: its name.
        inputs: examples of all tasks.
        settings: the model and the run. What weighs tasks against each other has no meaning here
            and is left out; and a single process trains, where several workers would.
        checkpoint_folder: as of `trainer.fit.fitting.fit`.
        tensorboard_folder: as of `trainer.fit.fitting.fit`.
    """
    column = list(inputs.spec.tasks).index(task)
    terms = inputs.spec.tasks[task].model_copy(
        update={"loss_weight": 1.0, "loss_weight_update_ratio": 1.0}
    )
    unbalanced = settings.trainer.model_copy(update={"balancing": "none"})
    train, validation = inputs.batches(settings.trainer)
    return fit(
        replace(inputs.layout, tasks={task: terms.kind}),
        {task: terms},
        in_one_process(settings.model_copy(update={"trainer": unbalanced})),
        of_one_task(train, column),
        of_one_task(validation, column),
        checkpoint_folder=checkpoint_folder,
        tensorboard_folder=tensorboard_folder,
    )


def of_one_task(batches: tf.data.Dataset, column: int) -> tf.data.Dataset:
    """Batches with the labels and masks of the task that has this column in them, (B, 1)."""

    def own(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            **features,
            **{
                name: features[name][:, column : column + 1] for name in (names.LABELS, names.MASKS)
            },
        }

    return batches.map(own)


class SingleTaskRankers(tf.Module):
    """Networks of one task each behind one signature.

    Args:
        spec: whose fields are read.
        networks: by task.
        transform: the layer of the transform graph; an attribute, as in
            `trainer.export.saved_model.ExportedRanker`.
    """

    def __init__(
        self, spec: FeatureSpec, networks: Mapping[str, Network], transform: tf.keras.Model
    ) -> None:
        super().__init__(name="single_tasks")
        self.spec = spec
        self.networks = dict(networks)
        self.transform = transform

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialised tf.Examples (B,) → a score a task, each (B,)."""
        features = self.transform(dict(parsed_fields(self.spec, examples)))
        rates = self.spec.negative_rates()
        return {
            task: network.scores(correct_sampling(network(features), rates))[task]
            for task, network in self.networks.items()
        }
