"""Early stopping over several tasks, with checkpoints from which a killed run goes on."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from feature_spec.tasks.task import Task
from trainer.distribute.strategies import is_chief, of_first_replica
from trainer.fit.multi_task_ranker import MultiTaskRanker
from trainer.fit.validation_objectives import relative_error
from trainer.inspect.introspection import closed_shares

logger = logging.getLogger("fulcrum.trainer")


class CheckpointsNotSharedError(RuntimeError):
    """The workers of a cluster do not see the same checkpoints."""


class EarlyStopping(tf.keras.callbacks.Callback):
    """Validates after each epoch, keeps the best weights, and stops without progress.

    After each epoch a checkpoint holds the weights, the slots of the optimizers, the clock of the
    loss weights, and the state of balancing and stopping. A new run over the same folder begins
    after the last finished epoch.

    In a cluster each worker has this callback. The chief's validation decides for all, so that no
    worker goes on without the others. Only the chief's checkpoint counts; the others take part in
    saving, and write theirs to a temporary folder.

    Args:
        tasks: tasks by name, whose metrics tell their own direction.
        validation: batches that are not trained on.
        patience: the number of epochs without a lower relative error before training stops.
        folder: the folder of the checkpoints.
    """

    def __init__(
        self, tasks: Mapping[str, Task], validation: tf.data.Dataset, patience: int, folder: Path
    ) -> None:
        super().__init__()
        self.tasks, self.validation, self.patience, self.folder = (
            tasks,
            validation,
            patience,
            folder,
        )
        self.finished_epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_error = tf.Variable(float("inf"), dtype=tf.float32, trainable=False)
        self.first_metrics = tf.Variable(tf.zeros(len(tasks)), dtype=tf.float32, trainable=False)
        self.history: list[dict[str, float]] = []

    @property
    def is_over(self) -> bool:
        """True if patience has run out, which a resumed run finds out before its first epoch."""
        return (
            int(self.finished_epochs) - int(self.best_epoch) >= self.patience
            and int(self.finished_epochs) > 0
        )

    def set_model(self, model: MultiTaskRanker) -> None:
        """Tie the checkpoints to a compiled model."""
        if self.model is model:  # Keras ties each callback once more
            return
        super().set_model(model)
        self._strategy = model.distribute_strategy
        self._is_chief = is_chief(self._strategy)
        # Every worker saves, and only the chief's checkpoints count.
        if not self._is_chief:
            self._nowhere = tempfile.TemporaryDirectory(prefix="fulcrum-checkpoints-")
        saved = self.folder if self._is_chief else Path(self._nowhere.name)
        state: dict[str, Any] = {
            "finished_epochs": self.finished_epochs,
            "best_epoch": self.best_epoch,
            "best_error": self.best_error,
            "first_metrics": self.first_metrics,
            "clock": model.clock,
        }
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                network=model.network, optimizer=model.optimizer, balancing=model.balancing, **state
            ),
            str(saved / "latest"),
            max_to_keep=1,
        )
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(network=model.network), str(saved / "best"), max_to_keep=1
        )

    def resume(self) -> int:
        """Restore the last checkpoint, if any, and return the number of finished epochs.

        Raises:
            CheckpointsNotSharedError: another worker has no checkpoint, or a different one.
        """
        # All variables exist by now, slots of optimizers included, and take their values here.
        self._restore(self._latest.checkpoint, "latest")
        finished = int(self.finished_epochs)
        of_chief = int(of_first_replica(self._strategy, tf.constant(finished)))
        if of_chief != finished:
            raise CheckpointsNotSharedError(
                f"{self.folder} has a checkpoint of epoch {finished} for this worker and of epoch "
                f"{of_chief} for the chief: it has to be one folder that all workers share"
            )
        if finished and self._is_chief:
            logger.info("resumes after epoch %d", finished)
        return finished

    def _restore(self, checkpoint: tf.train.Checkpoint, kind: str) -> Any:
        latest = tf.train.latest_checkpoint(str(self.folder / kind))
        return checkpoint.restore(latest) if latest else None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set t of PLE, Eq 10."""
        del logs
        if self.model.settings.loss_weight_clock == "epoch":
            self.model.clock.assign(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validate, save, and stop once patience has run out."""
        self.model.balancing.end_epoch()
        validation_loss = self.model.evaluate(self.validation, verbose=0, return_dict=True)["loss"]
        metrics = self.model.validation_metrics()
        if epoch == 0:
            self.first_metrics.assign(list(metrics.values()))
        first = dict(zip(self.tasks, self.first_metrics.numpy().tolist(), strict=True))
        # The error of another worker may differ in its last digit, and a worker that stopped alone
        # would leave the others waiting.
        error = float(
            of_first_replica(
                self._strategy, tf.constant(relative_error(self.tasks, first, metrics))
            )
        )
        self.finished_epochs.assign(epoch + 1)
        better = error < float(self.best_error)
        if better:
            self.best_error.assign(error)
            self.best_epoch.assign(epoch + 1)
            self._best.save(epoch + 1)
        self._latest.save(epoch + 1)
        if self._is_chief:
            shown = ", ".join(
                f"{name} {task.metric} {metrics[name]:.4f}" for name, task in self.tasks.items()
            )
            logger.info(
                "epoch %d: loss %.4f; validation: %s%s",
                epoch + 1,
                (logs or {}).get("loss", 0.0),
                shown,
                " (best)" * better,
            )
        if logs is not None:
            logs["validation_loss"] = validation_loss
            logs.update({f"validation_{name}": value for name, value in metrics.items()})
            logs.update(
                {
                    f"closed_share_{name}": share
                    for name, share in closed_shares(self.model.network.sharing).items()
                }
            )
            self.history.append(dict(logs))
        if self.is_over:
            self.model.stop_training = True

    def restore_best(self) -> int:
        """Restore the weights of the best epoch and return the epoch's number."""
        # The chief must have written the checkpoint before, and may remove it only after all
        # workers have read it.
        self._wait_for_all()
        self._restore(self._best.checkpoint, "best").expect_partial()
        self._wait_for_all()
        if not self._is_chief:
            self._nowhere.cleanup()
        return int(self.best_epoch)

    def _wait_for_all(self) -> None:
        of_first_replica(self._strategy, tf.constant(0))
