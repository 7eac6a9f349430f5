"""Fits a model on transformed examples."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from feature_spec.tasks.task import Task
from trainer.distribute.strategies import is_chief, strategy_of
from trainer.fit.early_stopping import EarlyStopping
from trainer.fit.multi_task_ranker import MultiTaskRanker
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
    """Trains until the validation no longer improves.

    Args:
        layout: sizes of the network.
        tasks: tasks by name.
        settings: the model and the run.
        train: batches of transformed features with labels and masks.
        validation: the same, of examples that are not trained on.
        strategy: shares each batch out; by default as the settings choose.
        begin: changes the initial weights, which else are drawn at random.
        checkpoint_folder: keeps the run's state; a run over the same folder goes on where the last
            one ended.
        tensorboard_folder: folder or URI where training curves are logged for TensorBoard.

    Returns:
        The network with the weights of its best epoch.

    Raises:
        ValueError: there is not one batch to train on, or replicas would get batches of different
            sizes.
    """
    tf.keras.utils.set_random_seed(settings.trainer.seed)
    batch = next(iter(train), None)
    if batch is None:
        raise ValueError(
            f"there are fewer training examples than trainer.batch_size ({settings.trainer.batch_size}); choose a smaller one"
        )
    strategy = strategy or strategy_of(settings.trainer)
    if settings.trainer.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"trainer.batch_size ({settings.trainer.batch_size}) cannot be shared out evenly over "
            f"{strategy.num_replicas_in_sync} replicas; choose a multiple of {strategy.num_replicas_in_sync}"
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
    """Each task's own metric of a trained network.

    Args:
        network: trained.
        tasks: tasks by name, in the order of the network's.
        settings: of the run that trained it.
        validation: batches of transformed features with labels and masks.
    """
    with strategy_of(settings).scope():
        model = MultiTaskRanker(network, tasks, settings)
        model.compile_for_training()
    model.evaluate(_shared_out(validation), verbose=0)
    return model.validation_metrics()


def _shared_out(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset, of whose every batch each worker takes its part."""
    options = tf.data.Options()
    # Shared out by files, workers would have different numbers of steps, and the one with more
    # would wait for ever; and batches would be other ones than those of a single process. By data,
    # each worker reads all, which costs little beside the steps.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)
