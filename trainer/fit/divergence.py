"""The end of a training whose numbers are no numbers any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from feature_spec import names
from feature_spec.feature_layout import NUMBERS, SIDES
from trainer.fit.multi_task_ranker import MultiTaskRanker
from trainer.inputs.examples import Examples
from trainer.network.network_layout import NetworkLayout
from trainer.network.table_blocks import read_table

_SHOWN = 5
_CHECKED_ROWS = 1 << 18


class DivergenceError(ArithmeticError):
    """A loss, a gradient or a weight is infinite or not a number."""


class DivergenceCheck(tf.keras.callbacks.Callback):
    """Ends a training at its first step with a number that is not finite.

    Args:
        layout: the layout of the network, with the names of number fields.
        examples: the examples to train on, whose largest numbers the error shows.
        validation: the examples to validate with.
    """

    def __init__(self, layout: NetworkLayout, examples: Examples, validation: Examples) -> None:
        super().__init__()
        self._layout, self._examples, self._validation = layout, examples, validation
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remember the epoch."""
        del logs
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Raise DivergenceError if the last step had a loss or a gradient that is not finite."""
        del batch
        model: MultiTaskRanker = self.model
        if bool(tf.identity(model.finite)):
            return
        losses = _not_finite(logs or {}, "loss_")
        if losses:
            raise self._error(f"the loss of {_listed(losses)} is not finite", self._examples)
        weights = _weights_not_finite(model)
        raise self._error(
            "the gradient is not finite"
            + (f", and neither is what it left of {_listed(weights)}" if weights else ""),
            self._examples,
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Raise DivergenceError if a weight is not finite."""
        del epoch, logs
        if weights := _weights_not_finite(self.model):
            raise self._error(f"{_listed(weights)} is not finite", self._examples)

    def after_validation(self, losses: Mapping[str, float]) -> None:
        """Raise DivergenceError if a loss of the validation is not finite."""
        if tasks := _not_finite(losses, "loss_"):
            raise self._error(
                f"the validation's loss of {_listed(tasks)} is not finite", self._validation
            )

    def _error(self, what: str, examples: Examples) -> DivergenceError:
        model: MultiTaskRanker = self.model
        settings = model.settings
        return DivergenceError(
            f"epoch {self._epoch + 1}, step {model.steps_taken}: {what}. The learning rates are "
            f"{settings.learning_rate:g} (learning_rate) and "
            f"{settings.embedding_learning_rate:g} (embedding_learning_rate). "
            f"{self._largest_numbers(examples)}"
        )

    def _largest_numbers(self, examples: Examples) -> str:
        """Say which number fields, and labels, have the largest values."""
        found: list[tuple[float, str]] = []
        for side in SIDES:
            if self._layout.numbers[side]:
                of_side = self._layout.number_names.get(side) or [
                    f"{side} number {place}" for place in range(self._layout.numbers[side])
                ]
                found += zip(_largest(examples.columns[NUMBERS[side]]), of_side, strict=True)
        masks = np.asarray(examples.columns[names.MASKS], np.float32) > 0.0
        labels = np.where(masks, examples.columns[names.LABELS], 0.0)
        of_tasks = [f"label of {task}" for task in self._layout.tasks]
        found += zip(_largest(labels), of_tasks, strict=True)
        found.sort(key=lambda pair: -pair[0] if math.isfinite(pair[0]) else -math.inf)
        shown = ", ".join(f"{name} {value:g}" for value, name in found[:_SHOWN])
        return (
            f"The largest transformed inputs are: {shown}. A field far from 1 needs bounds, a "
            "transform or a default within its bounds; otherwise lower the learning rates"
        )


def _largest(values: Any) -> list[float]:
    """Return the largest absolute value of each column; NaN where one is no number."""
    largest = np.zeros(values.shape[1])
    for first in range(0, len(values), _CHECKED_ROWS):
        part = np.abs(values[first : first + _CHECKED_ROWS], dtype=np.float64)
        largest = np.maximum(largest, part.max(axis=0))  # NaN stays NaN
    return [float(value) for value in largest]


def _not_finite(logs: Mapping[str, float], prefix: str) -> list[str]:
    return [
        name.removeprefix(prefix)
        for name, value in logs.items()
        if name.startswith(prefix) and not math.isfinite(value)
    ]


def _weights_not_finite(model: MultiTaskRanker) -> list[str]:
    tables = model.network.embedding_tables
    blocks = [(table, read_table(table)) for table in tables]
    blocks += [(variable, iter([tf.identity(variable)])) for variable in model.dense_variables]
    return [
        str(variable.name).partition(":")[0]
        for variable, values in blocks
        if not all(np.isfinite(part).all() for part in values)
    ]


def _listed(what: list[str]) -> str:
    more = len(what) - _SHOWN
    return ", ".join(what[:_SHOWN]) + (f" and {more} others" if more > 0 else "")
