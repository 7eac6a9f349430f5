"""Early stopping over several tasks, with checkpoints from which a killed run goes on."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import tensorflow as tf

from feature_spec.artifacts.training_ending import TrainingEnding
from feature_spec.tasks.task import Task
from trainer.distribute.strategies import is_chief, of_first_replica
from trainer.fit.multi_task_ranker import MultiTaskRanker
from trainer.fit.validation_objectives import Measured, silence, voters, weighed_change
from trainer.fit.weight_averages import WeightAverages
from trainer.inspect.introspection import closed_shares
from trainer.settings.train_config import TrainerSettings

logger = logging.getLogger("fulcrum.trainer")


class CheckpointsNotSharedError(RuntimeError):
    """The workers of a cluster do not see the same checkpoints."""


class EarlyStopping(tf.keras.callbacks.Callback):
    """Validates after each epoch, keeps the best weights, and stops without progress.

    An epoch is better if the weighed change of the tasks' errors is smaller; see
    `trainer.fit.validation_objectives.weighed_change`. A task with fewer than 10 positives or
    negatives in the validation part has no vote.

    After each epoch, and every few minutes within one, a checkpoint holds the weights and their
    averages, the slots of the optimizers, the clock of the loss weights, the number of steps, and
    the state of balancing and stopping. A new run over the same folder goes on from there.

    With `average_steps`, the averages of weights are validated and kept as the best ones.

    In a cluster each worker has this callback. The chief's validation decides for all, so that no
    worker goes on without the others. Only the chief's checkpoint counts; the others take part in
    saving, and write theirs to a temporary folder.

    Args:
        tasks: tasks by name, whose metrics tell their own direction.
        validation: batches that are not trained on.
        settings: the settings of the trainer, with the patience and the time between checkpoints.
        folder: the folder of the checkpoints.
        steps_per_epoch: the number of steps of an epoch.
        after_validation: is called with the losses of each validation.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        validation: tf.data.Dataset,
        settings: TrainerSettings,
        folder: Path,
        *,
        steps_per_epoch: int,
        after_validation: Callable[[Mapping[str, float]], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.tasks, self.validation, self.settings, self.folder = (
            tasks,
            validation,
            settings,
            folder,
        )
        self.steps_per_epoch, self.after_validation = steps_per_epoch, after_validation
        self._saved_at = time.monotonic()
        self.finished_epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_error = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        # `Measured` of each task after the first epoch.
        self.first_metrics = tf.Variable(
            tf.zeros([len(tasks), 3], tf.float64), dtype=tf.float64, trainable=False
        )
        self.history: list[dict[str, float]] = []

    @property
    def is_over(self) -> bool:
        """True if patience has run out, which a resumed run finds out before its first epoch."""
        return (
            int(self.finished_epochs) - int(self.best_epoch) >= self.settings.patience
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
            "step": model.step,
        }
        steps = self.settings.average_steps
        self._averages = WeightAverages(model.network, steps) if steps else None
        self._followed = model.steps_taken
        if self._averages is not None:
            state["averages"] = self._averages
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                network=model.network, optimizer=model.optimizer, balancing=model.balancing, **state
            ),
            str(saved / "latest"),
            max_to_keep=1,
        )
        self._best = tf.train.CheckpointManager(
            # The optimizer's state goes on with the weights where a later day begins with them.
            tf.train.Checkpoint(network=model.network, optimizer=model.optimizer),
            str(saved / "best"),
            max_to_keep=1,
        )

    def resume(self) -> tuple[int, int]:
        """Restore the last checkpoint, if any.

        Returns:
            The number of finished epochs, and of steps taken in the next one.

        Raises:
            CheckpointsNotSharedError: another worker has no checkpoint, or a different one.
        """
        # All variables exist by now, slots of optimizers included, and take their values here.
        self._restore(self._latest.checkpoint, "latest")
        finished, step = int(self.finished_epochs), self.model.steps_taken
        self._followed = step
        of_chief = int(of_first_replica(self._strategy, tf.constant(step, tf.int64)))
        if of_chief != step:
            raise CheckpointsNotSharedError(
                f"{self.folder} has a checkpoint of step {step} for this worker and of step "
                f"{of_chief} for the chief: it has to be one folder that all workers share"
            )
        taken = step - finished * self.steps_per_epoch
        if step and self._is_chief:
            logger.info("resumes after epoch %d%s", finished, f", step {taken}" if taken else "")
        return finished, taken

    def _restore(self, checkpoint: tf.train.Checkpoint, kind: str) -> Any:
        latest = tf.train.latest_checkpoint(str(self.folder / kind))
        return checkpoint.restore(latest) if latest else None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set t of PLE, Eq 10."""
        del logs
        if self.model.settings.loss_weight_clock == "epoch":
            self.model.clock.assign(epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Average the weights, and save if the last checkpoint is old enough."""
        del batch, logs
        if self._averages is not None:
            self._averages.follow(self.model.steps_taken - self._followed)
            self._followed = self.model.steps_taken
        # The end of an epoch saves itself, after its validation.
        if self.model.steps_taken % self.steps_per_epoch == 0:
            return
        due = time.monotonic() - self._saved_at > 60.0 * self.settings.checkpoint_minutes
        if int(of_first_replica(self._strategy, tf.constant(int(due)))):
            self._save()

    def _save(self) -> None:
        self._latest.save(self.model.steps_taken)
        self._saved_at = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validate, save, and stop once patience has run out."""
        self.model.balancing.end_epoch()
        with self._averages.in_place() if self._averages is not None else nullcontext():
            self._validate(epoch, logs)
        self._save()
        if self.is_over:
            self.model.stop_training = True

    def _validate(self, epoch: int, logs: dict[str, float] | None) -> None:
        losses = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        self.after_validation(losses)
        measured = self.model.validation_metrics()
        metrics = {name: one.value for name, one in measured.items()}
        if epoch == 0:
            self.first_metrics.assign(list(measured.values()))
            self._name_voters(measured)
        first = {
            name: Measured(*row)
            for name, row in zip(self.tasks, self.first_metrics.numpy().tolist(), strict=True)
        }
        voting = {name: self.tasks[name] for name in voters(self.tasks, first)}
        # Without a vote the joint loss decides.
        error = weighed_change(voting, first, metrics) if voting else losses["loss"]
        # The error of another worker may differ in its last digit, and a worker that stopped alone
        # would leave the others waiting.
        error = float(of_first_replica(self._strategy, tf.constant(error, tf.float64)))
        self.finished_epochs.assign(epoch + 1)
        better = error < float(self.best_error)
        if better:
            self.best_error.assign(error)
            self.best_epoch.assign(epoch + 1)
            self._best.save(epoch + 1)
        if self._is_chief:
            shown = ", ".join(
                f"{name} {task.validation_metric} {measured[name]}"
                for name, task in self.tasks.items()
            )
            logger.info(
                "epoch %d: loss %.4f; validation: %s%s",
                epoch + 1,
                (logs or {}).get("loss", 0.0),
                shown,
                " (best)" * better,
            )
        if logs is not None:
            logs["validation_loss"] = losses["loss"]
            logs.update({f"validation_{name}": value for name, value in metrics.items()})
            logs.update(
                {
                    f"closed_share_{name}": share
                    for name, share in closed_shares(self.model.network.sharing).items()
                }
            )
            weights = self.model.balancing.task_weights()
            if weights is not None:
                logs.update(
                    {
                        f"balance_{name}": float(weight)
                        for name, weight in zip(self.tasks, weights, strict=True)
                    }
                )
            self.history.append(dict(logs))

    def _name_voters(self, first: Mapping[str, Measured]) -> None:
        silent = self._silent(first)
        if silent and self._is_chief:
            logger.info(
                "no vote on when to stop: %s%s",
                "; ".join(f"{name}: {reason}" for name, reason in silent.items()),
                "" if len(silent) < len(self.tasks) else "; the joint loss decides",
            )

    def _silent(self, first: Mapping[str, Measured]) -> dict[str, str]:
        """Return the reason for each task that has no vote."""
        voting = voters(self.tasks, first)
        return {
            name: silence(task, first[name])
            for name, task in self.tasks.items()
            if name not in voting
        }

    def ending(self, epochs: int) -> TrainingEnding:
        """Return how a training of at most so many epochs has ended."""
        rows = self.first_metrics.numpy().tolist()
        first = {name: Measured(*row) for name, row in zip(self.tasks, rows, strict=True)}
        finished = int(self.finished_epochs)
        return TrainingEnding(
            epochs=finished,
            best_epoch=int(self.best_epoch),
            stopped_by="patience" if self.is_over and finished < epochs else "epochs",
            patience=self.settings.patience,
            silent=self._silent(first),
        )

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
