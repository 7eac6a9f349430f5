"""`fulcrum train-worker`: help the chief of a cluster to train."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train_worker(
    root: Annotated[
        Path,
        typer.Option(
            help="The chief's pipeline root, on a file system that all workers share.",
            file_okay=False,
        ),
    ],
    wait_s: Annotated[
        float | None,
        typer.Option(
            help="Seconds to wait for the chief to come to training.",
            min=0,
            show_default="without limit",
        ),
    ] = None,
) -> None:
    """Help the chief to train, as the worker that the environment variable TF_CONFIG names.

    The chief is `fulcrum run --set trainer.strategy=multi_worker` on the same root. All workers
    share each step's batch; the chief keeps checkpoints and exports the model. A worker waits until
    the chief comes to training. If a worker is lost, all end with exit code 1: let a supervisor
    start them again, and they go on from the last checkpoint.

    Exit code: 0 the training has ended; 1 it failed, a worker was lost, or there was nothing to
    train.

    Example, on host2: export TF_CONFIG='{"cluster": {"worker": ["host1:2222", "host2:2222"]},
    "task": {"type": "worker", "index": 1}}' and then fulcrum train-worker --root /shared/root
    """
    import logging

    from feature_spec import names
    from trainer.distribute.cluster import ClusterError, parse_cluster
    from trainer.inputs.training_job import NoJobError, awaited_job

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("fulcrum").setLevel(logging.INFO)
    try:
        cluster = parse_cluster(os.environ.get("TF_CONFIG"))
        if cluster.is_chief:
            raise ClusterError(
                f"TF_CONFIG makes this the chief ({cluster.name}), which is `fulcrum run`"
            )
        # Before the wait, which may be long, so that a missing extra shows at once.
        from trainer.distribute.worker_failure import WorkerLostError
        from trainer.fit.early_stopping import CheckpointsNotSharedError
        from trainer.fit.training import OtherJobError, train

        typer.echo(f"{cluster.name}: waits for the chief's training in {root}")
        job = awaited_job(root.resolve() / names.CHECKPOINTS, wait_s)
    except (ClusterError, NoJobError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error

    try:
        train(job, cluster)
    except (WorkerLostError, OtherJobError, CheckpointsNotSharedError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("the training has ended; the chief exports the model")
