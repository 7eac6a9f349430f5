"""The functions that the pipeline's Trainers call by import path."""

from __future__ import annotations

import os
from typing import Any

from trainer.distribute.cluster import ClusterError, parse_cluster
from trainer.distribute.spawned_call import call_in_new_process
from trainer.fit.single_tasks import train_single_tasks
from trainer.fit.training import train
from trainer.inputs.training_job import TrainingJob
from trainer.settings.search_space import decoded, with_values
from trainer.settings.train_config import Settings


def run_fn(fn_args: Any) -> None:
    """Train on examples, ingested or transformed, and export the SavedModel.

    With `trainer.strategy: multi_worker` this is the chief of the cluster that the environment
    variable TF_CONFIG describes; `fulcrum train-worker` runs the others.

    Args:
        fn_args: the arguments of TFX. `custom_config` holds `spec`, the spec's text; `settings`,
            JSON of `trainer.settings.train_config.Settings`; `checkpoint_folder`, which outlives a
            killed run; and, in a run by span, `span`, JSON of its days.

    Raises:
        trainer.distribute.cluster.ClusterError: TF_CONFIG is missing or wrong, or makes another
            worker the chief.
        trainer.distribute.worker_failure.WorkerLostError: another worker has ended.
    """
    job = _job(fn_args)
    if job.settings.trainer.strategy != "multi_worker":
        train(job)
        return
    cluster = parse_cluster(os.environ.get("TF_CONFIG"))
    if not cluster.is_chief:
        raise ClusterError(
            f"TF_CONFIG makes this {cluster.name}: the pipeline runs as the chief, or worker 0 "
            "where there is none; run the others by `fulcrum train-worker`"
        )
    published = job.publish()
    try:
        # TensorFlow has run in this process, in the steps before the Trainer, and so cannot join a
        # cluster any more.
        call_in_new_process(train, job, cluster)
    finally:
        published.unlink()


def single_tasks_run_fn(fn_args: Any) -> None:
    """Train each task alone and export the networks as one SavedModel.

    Args:
        fn_args: the arguments of TFX, see `run_fn`.
    """
    train_single_tasks(_job(fn_args))


def _job(fn_args: Any) -> TrainingJob:
    config = fn_args.custom_config
    settings = Settings.model_validate_json(config["settings"])
    if fn_args.hyperparameters:  # the values of the Tuner's best trial
        settings = with_values(settings, decoded(fn_args.hyperparameters["values"]))
    return TrainingJob(
        spec=config["spec"],
        settings=settings,
        train_files=list(map(str, fn_args.train_files)),
        validation_files=list(map(str, fn_args.eval_files)),
        transform_graph=str(fn_args.transform_graph_path),
        checkpoints=str(config["checkpoint_folder"]),
        model=str(fn_args.serving_model_dir),
        curves=str(fn_args.model_run_dir),
        base_model=fn_args.base_model,
        span=config.get("span"),
    )
