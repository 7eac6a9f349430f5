"""A training from its job to the exported model, alone or as one of several workers."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from feature_spec import names
from trainer.calibration.validation_fit import fit_calibration
from trainer.distribute.cluster import Cluster
from trainer.distribute.strategies import is_chief, of_first_replica, strategy_of
from trainer.distribute.worker_failure import translate_worker_failure
from trainer.export.field_presence import field_presence
from trainer.export.saved_model import export
from trainer.fit.fitting import fit
from trainer.fit.head_distributions import head_distributions
from trainer.inputs.training_inputs import TrainingInputs, training_inputs
from trainer.inputs.training_job import TrainingJob
from trainer.inputs.transform_graph import TransformGraph
from trainer.network.network import Network
from trainer.warm_start.embedding_remap import TableRows
from trainer.warm_start.warm_start import begin_with
from trainer.warm_start.weight_store import NoWeightsError, read_weights, save_weights

logger = logging.getLogger("fulcrum.trainer")


class OtherJobError(RuntimeError):
    """The workers of a cluster would train different things."""


def train(job: TrainingJob, cluster: Cluster | None = None) -> None:
    """Train, export the SavedModel and remove the job's checkpoints.

    Workers other than the chief only help to train.

    Args:
        job: the training.
        cluster: the workers of the strategy `multi_worker`. Nothing of TensorFlow may have run in
            the process before.

    Raises:
        trainer.distribute.worker_failure.WorkerLostError: another worker has ended.
        OtherJobError: the chief trains something else.
    """
    with translate_worker_failure() if cluster else contextlib.nullcontext():
        strategy = strategy_of(job.settings.trainer, cluster)
        if int(of_first_replica(strategy, tf.constant(int(job.key, 16)))) != int(job.key, 16):
            raise OtherJobError(
                f"the chief trains something else than job {job.key}: start this worker again"
            )
        _train(job, strategy)


def _train(job: TrainingJob, strategy: tf.distribute.Strategy) -> None:
    inputs, settings = training_inputs(job), job.settings
    if is_chief(strategy):
        inputs.examples()
    of_first_replica(strategy, tf.constant(0))  # the others read what the chief has written
    trained_on, validated_on = inputs.examples()
    network = fit(
        inputs.layout,
        inputs.spec.tasks,
        settings,
        trained_on,
        validated_on,
        strategy=strategy,
        begin=_beginning(inputs),
        end=_ending(inputs) if is_chief(strategy) else None,
        negative_rates=inputs.spec.negative_rates(),
        checkpoint_folder=job.own_checkpoints,
        tensorboard_folder=job.curves,
    )
    if is_chief(strategy):
        export(
            inputs.spec,
            job.spec,
            network,
            TransformGraph(inputs.transform.transform_savedmodel_dir),
            job.model,
            vocabularies=inputs.vocabularies,
            half_precision=settings.trainer.export_dtype == "bfloat16",
            xla=settings.trainer.export_xla,
            tables=settings.trainer.export_table_dtype,
            presence=field_presence(inputs.spec, trained_on.columns),
            quantiles=inputs.label_quantiles(),
            heads=head_distributions(network, validated_on),
            calibrate=lambda served: fit_calibration(
                inputs.spec, served, validated_on, inputs.vocabularies
            ),
        )
        if job.span is not None:
            tf.io.write_file(f"{job.model}/{names.EXPORTED_SPAN}", job.span)
        # The model is exported: a later run with the same inputs begins anew.
        shutil.rmtree(job.own_checkpoints)


def _ending(inputs: TrainingInputs) -> Callable[[Network, Any], None] | None:
    """Return what keeps the weights of a run by span for a later day; None for other runs."""
    job = inputs.job
    if job.span is None:
        return None

    def save(network: Network, optimizer: Any) -> None:
        save_weights(network, inputs.vocabularies, job.model, optimizer)

    return save


def _beginning(inputs: TrainingInputs) -> Callable[[Network, Any], None] | None:
    """Return what loads the base model's weights into a network; None to begin afresh."""
    job = inputs.job
    if job.base_model is None or not job.settings.trainer.warm_start:
        return None
    try:
        weights = read_weights(job.base_model)
    except NoWeightsError as error:
        logger.info("no warm start: %s", error)
        return None
    rows = TableRows(inputs.spec, inputs.vocabularies)

    def begin(network: Network, optimizer: Any) -> None:
        begin_with(weights, network, rows, optimizer)

    return begin
