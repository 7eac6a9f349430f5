"""The training of one network, from initial weights to the weights of its best epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from feature_spec.artifacts.training_ending import ENDING_FILE
from feature_spec.tasks.task import Task
from trainer.distribute.strategies import is_chief, strategy_of
from trainer.fit.base_rates import begin_at_base_rates
from trainer.fit.divergence import DivergenceCheck
from trainer.fit.early_stopping import EarlyStopping
from trainer.fit.multi_task_ranker import STEPS_PER_EXECUTION, MultiTaskRanker
from trainer.inputs.examples import Examples
from trainer.network.network import Network
from trainer.network.network_layout import NetworkLayout
from trainer.settings.train_config import Settings, TrainerSettings

logger = logging.getLogger("fulcrum.trainer")

# XLA saves a step about as many milliseconds as it takes hundredths of a second to compile one, and
# shorter trainings do without.
_STEPS_WORTH_COMPILING = 500


def fit(
    layout: NetworkLayout,
    tasks: Mapping[str, Task],
    settings: Settings,
    train: Examples,
    validation: Examples,
    *,
    strategy: tf.distribute.Strategy | None = None,
    begin: Callable[[Network, tf.keras.optimizers.Optimizer], None] | None = None,
    end: Callable[[Network, tf.keras.optimizers.Optimizer], None] | None = None,
    negative_rates: Mapping[str, float] | None = None,
    checkpoint_folder: Path,
    tensorboard_folder: str | None = None,
) -> Network:
    """Train a network until its validation no longer improves.

    Args:
        layout: the layout of the network.
        tasks: tasks by name.
        settings: the model and how it is trained.
        train: transformed examples with labels and masks, to train on. Fewer than a batch are one
            smaller batch.
        validation: other examples, to validate with.
        strategy: shares each batch out over replicas. Defaults to the strategy of the settings.
        begin: changes the initial weights, which are otherwise drawn at random, and what the
            optimizer keeps for them.
        end: receives the network with the weights of its best epoch, and the optimizer as it was
            then.
        negative_rates: the share of negatives that were kept, of sampled tasks.
        checkpoint_folder: keeps the state of the training. A run over the same folder goes on where
            the last one ended.
        tensorboard_folder: folder or URI of the training curves for TensorBoard.

    Returns:
        The network with the weights of its best epoch.

    Raises:
        ValueError: there is no example to train on or to validate with, or replicas would get
            batches of different sizes.
        DivergenceError: a loss, a gradient or a weight is infinite or not a number.
    """
    seed = settings.trainer.seed
    tf.keras.utils.set_random_seed(seed)
    strategy = strategy or strategy_of(settings.trainer)
    run = settings.trainer.model_copy(
        update={"batch_size": _batch_size(settings.trainer, train, strategy)}
    )
    if not validation.rows:
        raise ValueError("there are 0 examples to validate with, and stopping needs one at least")
    steps = train.rows // run.batch_size
    with strategy.scope():
        network = Network(layout, settings, name="network")
        network.make_variables(train.first_rows(run.batch_size))
        begin_at_base_rates(network, train)
        model = MultiTaskRanker(
            network,
            tasks,
            run,
            compiled=steps * run.epochs >= _STEPS_WORTH_COMPILING,
            negative_rates=negative_rates,
        )
        model.compile_for_training()
        if begin is not None:
            begin(network, model.optimizer)

    check = DivergenceCheck(layout, train, validation)
    stopping = EarlyStopping(
        tasks,
        _shared_out(validation.in_order(4 * run.batch_size)),
        run,
        checkpoint_folder,
        steps_per_epoch=steps,
        after_validation=check.after_validation,
    )
    stopping.set_model(model)
    epoch, taken = stopping.resume()
    callbacks: list[tf.keras.callbacks.Callback] = [check, stopping]
    if tensorboard_folder is not None and is_chief(strategy):
        callbacks.append(tf.keras.callbacks.TensorBoard(tensorboard_folder, write_graph=False))
    logger.info(
        "%s: %s parameters on %d replica(s)",
        settings.name,
        f"{network.count_params():,}",
        strategy.num_replicas_in_sync,
    )
    began = time.monotonic()
    # Keras gives all epochs of a call the same number of steps.
    for last in (epoch + 1, run.epochs) if taken else (run.epochs,):
        if stopping.is_over or epoch >= last:
            break
        model.fit(
            _shared_out(train.shuffled(run.batch_size, seed, epoch=epoch, step=taken)),
            epochs=last,
            initial_epoch=epoch,
            steps_per_epoch=steps - taken,
            callbacks=callbacks,
            verbose=0,
        )
        epoch, taken = last, 0
    best = stopping.restore_best()
    if tensorboard_folder is not None and is_chief(strategy):
        ending = stopping.ending(run.epochs)
        tf.io.write_file(f"{tensorboard_folder}/{ENDING_FILE}", ending.model_dump_json(indent=1))
    logger.info("trained for %.0f s; epoch %d was best", time.monotonic() - began, best)
    if end is not None:
        end(network, model.optimizer)
    return network


def _batch_size(
    settings: TrainerSettings, examples: Examples, strategy: tf.distribute.Strategy
) -> int:
    """Return the batch size of the settings, or a smaller one if there are fewer examples."""
    replicas = strategy.num_replicas_in_sync
    if settings.batch_size % replicas:
        raise ValueError(
            f"trainer.batch_size ({settings.batch_size}) cannot be shared out evenly over "
            f"{replicas} replicas; choose a multiple of {replicas}"
        )
    if examples.rows < replicas:
        raise ValueError(
            f"there are {examples.rows} examples to train on, and {replicas} replica(s) need one "
            "each"
        )
    if examples.rows < settings.batch_size:
        smaller = examples.rows // replicas * replicas
        logger.warning(
            "there are only %d examples to train on: a step takes %d in place of "
            "trainer.batch_size, %d",
            examples.rows,
            smaller,
            settings.batch_size,
        )
        return smaller
    return settings.batch_size


def validation_metrics(
    network: Network,
    tasks: Mapping[str, Task],
    settings: TrainerSettings,
    validation: Examples,
) -> dict[str, float]:
    """Compute the metric of each task for a trained network.

    Args:
        network: a trained network.
        tasks: tasks by name, in the network's order.
        settings: the settings of the training.
        validation: transformed examples with labels and masks.
    """
    with strategy_of(settings).scope():
        model = MultiTaskRanker(network, tasks, settings)
        # Without the optimizers of a training, whose slots are as large as the tables.
        model.compile(steps_per_execution=STEPS_PER_EXECUTION)
    model.evaluate(_shared_out(validation.in_order(4 * settings.batch_size)), verbose=0)
    return {name: measured.value for name, measured in model.validation_metrics().items()}


def _shared_out(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Let each worker take its part of every batch."""
    options = tf.data.Options()
    # Sharding by files would give workers different numbers of steps, so that the one with more
    # would wait for ever, and other batches than in a single process. With sharding by data each
    # worker reads all examples, which costs little compared to the steps.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)
