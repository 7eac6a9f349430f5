"""The training of one network, from initial weights to the weights of its best epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from feature_spec.tasks.task import Task
from trainer.distribute.strategies import is_chief, strategy_of
from trainer.fit.early_stopping import EarlyStopping
from trainer.fit.multi_task_ranker import STEPS_PER_EXECUTION, MultiTaskRanker
from trainer.network.network import Network
from trainer.network.network_layout import NetworkLayout
from trainer.settings.train_config import Settings, TrainerSettings

logger = logging.getLogger("fulcrum.trainer")


def fit(
    layout: NetworkLayout,
    tasks: Mapping[str, Task],
    settings: Settings,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    *,
    strategy: tf.distribute.Strategy | None = None,
    begin: Callable[[Network], None] | None = None,
    checkpoint_folder: Path,
    tensorboard_folder: str | None = None,
) -> Network:
    """Train a network until its validation no longer improves.

    Args:
        layout: the layout of the network.
        tasks: tasks by name.
        settings: the model and how it is trained.
        train: batches of transformed features with labels and masks, to train on.
        validation: batches of other examples, to validate with.
        strategy: shares each batch out over replicas. Defaults to the strategy of the settings.
        begin: changes the initial weights, which are otherwise drawn at random.
        checkpoint_folder: keeps the state of the training. A run over the same folder goes on where
            the last one ended.
        tensorboard_folder: folder or URI of the training curves for TensorBoard.

    Returns:
        The network with the weights of its best epoch.

    Raises:
        ValueError: there are fewer examples than one batch holds, or replicas would get batches of
            different sizes.
    """
    tf.keras.utils.set_random_seed(settings.trainer.seed)
    batch = next(iter(train), None)
    if batch is None:
        raise ValueError(
            "there are fewer training examples than trainer.batch_size "
            f"({settings.trainer.batch_size}); choose a smaller one"
        )
    strategy = strategy or strategy_of(settings.trainer)
    if settings.trainer.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"trainer.batch_size ({settings.trainer.batch_size}) cannot be shared out evenly over "
            f"{strategy.num_replicas_in_sync} replicas; choose a multiple of "
            f"{strategy.num_replicas_in_sync}"
        )
    with strategy.scope():
        network = Network(layout, settings, name="network")
        network(batch)  # makes the variables
        if begin is not None:
            begin(network)
        model = MultiTaskRanker(network, tasks, settings.trainer)
        model.compile_for_training()

    train, validation = _shared_out(train), _shared_out(validation)
    stopping = EarlyStopping(tasks, validation, settings.trainer.patience, checkpoint_folder)
    stopping.set_model(model)
    first_epoch = stopping.resume()
    callbacks: list[tf.keras.callbacks.Callback] = [stopping]
    if tensorboard_folder is not None and is_chief(strategy):
        callbacks.append(tf.keras.callbacks.TensorBoard(tensorboard_folder, write_graph=False))
    logger.info(
        "%s: %s parameters on %d replica(s)",
        settings.name,
        f"{network.count_params():,}",
        strategy.num_replicas_in_sync,
    )
    began = time.monotonic()
    if not stopping.is_over:
        model.fit(
            train,
            epochs=settings.trainer.epochs,
            initial_epoch=first_epoch,
            callbacks=callbacks,
            verbose=0,
        )
    best = stopping.restore_best()
    logger.info("trained for %.0f s; epoch %d was best", time.monotonic() - began, best)
    return network


def validation_metrics(
    network: Network,
    tasks: Mapping[str, Task],
    settings: TrainerSettings,
    validation: tf.data.Dataset,
) -> dict[str, float]:
    """Compute the metric of each task for a trained network.

    Args:
        network: a trained network.
        tasks: tasks by name, in the network's order.
        settings: the settings of the training.
        validation: batches of transformed features with labels and masks.
    """
    with strategy_of(settings).scope():
        model = MultiTaskRanker(network, tasks, settings)
        # Without the optimizers of a training, whose slots are as large as the tables.
        model.compile(steps_per_execution=STEPS_PER_EXECUTION)
    model.evaluate(_shared_out(validation), verbose=0)
    return model.validation_metrics()


def _shared_out(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Let each worker take its part of every batch."""
    options = tf.data.Options()
    # Sharding by files would give workers different numbers of steps, so that the one with more
    # would wait for ever, and other batches than in a single process. With sharding by data each
    # worker reads all examples, which costs little compared to the steps.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)
