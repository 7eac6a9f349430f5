"""Each task trained alone, as the reference of the MTL gain (PLE, Eq 11).

"Alone" means the same network structure and the same samples: the model of the settings, built for
one task, with embeddings of its own, on all training examples. Nothing of the other tasks is left:
no experts, no loss, and no say in when to stop. A task of a chain is so trained where its condition
holds alone, whatever its `chain`: losses over the whole space need the network of another task.
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
from trainer.calibration.calibrators import Calibrators
from trainer.calibration.validation_fit import fit_calibration
from trainer.export.quantile_scores import QuantileScores
from trainer.export.ranking_score import correct_sampling, joint_probabilities
from trainer.export.request_signature import parsed_fields
from trainer.fit.fitting import fit
from trainer.inputs.training_inputs import TrainingInputs, training_inputs
from trainer.inputs.training_job import TrainingJob
from trainer.inputs.transform_graph import TransformGraph
from trainer.network.network import Network
from trainer.settings.train_config import Settings, in_one_process

logger = logging.getLogger("fulcrum.trainer")


def train_single_tasks(job: TrainingJob) -> None:
    """Train a network for each task and export all of them as one SavedModel.

    Its signature `serving_default` returns a score for each task. A killed run goes on where it
    was: a finished task is not trained again.

    Args:
        job: the job of the model of all tasks.
    """
    inputs = training_inputs(job)
    # The model of all tasks has the same key, so its folder of checkpoints is taken.
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
    ranker = SingleTaskRankers(
        inputs.spec.served,
        networks,
        TransformGraph(inputs.transform.transform_savedmodel_dir),
        _calibrators(inputs, networks),
        QuantileScores(inputs.label_quantiles()),
    )
    tf.saved_model.save(
        ranker, job.model, signatures={names.SERVING_DEFAULT: ranker.score_examples}
    )
    shutil.rmtree(checkpoints)


def _calibrators(inputs: TrainingInputs, networks: Mapping[str, Network]) -> dict[str, Calibrators]:
    """Calibrate each network as the model of all tasks is, so that both can be compared."""
    _, validation = inputs.examples()
    fitted = {
        task: fit_calibration(inputs.spec, network, validation.of_task(column), inputs.vocabularies)
        for column, (task, network) in enumerate(networks.items())
    }
    return {task: one.calibrators for task, one in fitted.items() if one is not None}


def fit_alone(
    task: str,
    inputs: TrainingInputs,
    settings: Settings,
    *,
    checkpoint_folder: Path,
    tensorboard_folder: str | None = None,
) -> Network:
    """Train the model of the settings for one task.

    Args:
        task: the task's name.
        inputs: examples of all tasks.
        settings: the model and how it is trained. Loss weights and balancing have no meaning for
            one task and are left out. A single process trains, even with `multi_worker`.
        checkpoint_folder: see `trainer.fit.fitting.fit`.
        tensorboard_folder: see `trainer.fit.fitting.fit`.
    """
    column = list(inputs.spec.tasks).index(task)
    terms = inputs.spec.tasks[task].model_copy(
        update={"loss_weight": 1.0, "loss_weight_update_ratio": 1.0, "chain": None}
    )
    unbalanced = settings.trainer.model_copy(update={"balancing": "none"})
    train, validation = inputs.examples()
    return fit(
        replace(inputs.layout, tasks={task: terms.kind}, imputed=()),
        {task: terms},
        in_one_process(settings.model_copy(update={"trainer": unbalanced})),
        train.of_task(column),
        validation.of_task(column),
        checkpoint_folder=checkpoint_folder,
        tensorboard_folder=tensorboard_folder,
    )


class SingleTaskRankers(tf.Module):
    """Networks of one task each behind one signature.

    Args:
        spec: the feature spec.
        networks: the networks by task.
        transform: the transform graph; see `trainer.export.saved_model`.
        calibrators: calibrate the logits of some of the tasks.
        values: turns predicted quantiles into values of labels.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        networks: Mapping[str, Network],
        transform: TransformGraph,
        calibrators: Mapping[str, Calibrators],
        values: QuantileScores,
    ) -> None:
        super().__init__(name="single_tasks")
        self.spec = spec
        self.networks = dict(networks)
        self.transform = transform
        self._values = values
        self._calibrators = tuple(calibrators.items())  # a module wraps mappings

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False
    )
    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score serialized tf.Examples, (B,): one score per task, each (B,)."""
        features = self.transform(dict(parsed_fields(self.spec, examples)))
        rates = self.spec.negative_rates()
        calibrators = dict(self._calibrators)
        scores = {}
        for task, network in self.networks.items():
            logits = correct_sampling(network(features), rates)
            if task in calibrators:
                logits = calibrators[task](logits, features)
            scores[task] = network.scores(logits)[task]
        scores = self._values(scores, features)
        return scores | joint_probabilities(scores, self.spec.joints)
