"""Fits a model on transformed examples."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from feature_spec.task import Task
from trainer.early_stopping import EarlyStopping
from trainer.multi_task_ranker import MultiTaskRanker
from trainer.network import Network
from trainer.network_layout import NetworkLayout
from trainer.settings import Settings

logger = logging.getLogger("fulcrum.trainer")


def fit(
    layout: NetworkLayout,
    tasks: Mapping[str, Task],
    settings: Settings,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    *,
    checkpoint_folder: Path,
    tensorboard_folder: Path | None = None,
) -> Network:
    """Trains until the validation no longer improves.

    Args:
        layout: sizes of the network.
        tasks: tasks by name.
        settings: the model and the run.
        train: batches of transformed features with labels and masks.
        validation: the same, of examples that are not trained on.
        checkpoint_folder: keeps the run's state; a run over the same folder goes on where the last one ended.
        tensorboard_folder: where training curves are logged for TensorBoard.

    Returns:
        The network with the weights of its best epoch.

    Raises:
        ValueError: there is not one batch to train on.
    """
    tf.keras.utils.set_random_seed(settings.trainer.seed)
    batch = next(iter(train), None)
    if batch is None:
        raise ValueError(
            f"there are fewer training examples than trainer.batch_size ({settings.trainer.batch_size}); choose a smaller one"
        )
    strategy = _mirrored() if settings.trainer.strategy == "mirrored" else tf.distribute.get_strategy()
    with strategy.scope():
        network = Network(layout, settings, name="network")
        network(batch)  # makes the variables
        model = MultiTaskRanker(network, tasks, settings.trainer)
        model.compile_for_training()

    stopping = EarlyStopping(tasks, validation, settings.trainer.patience, checkpoint_folder)
    stopping.set_model(model)
    first_epoch = stopping.resume()
    callbacks: list[tf.keras.callbacks.Callback] = [stopping]
    if tensorboard_folder is not None:
        callbacks.append(tf.keras.callbacks.TensorBoard(str(tensorboard_folder), write_graph=False))
    logger.info(
        "%s: %s parameters on %d replica(s)", settings.name, f"{network.count_params():,}", strategy.num_replicas_in_sync
    )
    began = time.monotonic()
    if not stopping.is_over:
        model.fit(train, epochs=settings.trainer.epochs, initial_epoch=first_epoch, callbacks=callbacks, verbose=0)
    best = stopping.restore_best()
    logger.info("trained for %.0f s; epoch %d was best", time.monotonic() - began, best)
    return network


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    """One for the whole process."""
    # A second one would number its collective operations from the start again, and TensorFlow takes those of one number for the
    # same, so that it refuses other shapes.
    return tf.distribute.MirroredStrategy()
