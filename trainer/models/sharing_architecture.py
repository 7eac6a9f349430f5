"""The interface of all models: field embeddings in, one representation for each task out."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from trainer.layers.flat_input import FlatInput

# The names of the variables in `coefficients`: gates of SNR, MSSM and DSelect-k, mixtures of
# cross-stitch and sluice networks, MSSM's masks, and AdaTT's weights of a task's own experts.
COEFFICIENTS = ("log_alpha", "alpha", "beta", "mask_query", "mask_bias", "native", "selection")


class SharingArchitecture(tf.keras.layers.Layer):
    """Maps field embeddings to one representation per task.

    Embeddings, towers and heads are the same for all models and are not part of it. A model derives
    from this class, takes numbers, and implements `call`; `trainer.settings.model_config` gives it
    a name and settings, whose keys are its arguments.

    Args:
        tasks: K, the number of tasks.
        dropout_rate: the share of units dropped in training. Defaults to 0.

    Attributes:
        tells_fields_apart: whether the model has an argument `field_widths`.
        has_task_tables: whether the model reads, beside a shared set of tables, embeddings of each
            task's own, and has an argument `task_widths`.
        embeddings: the number of inputs that the model reads: 1; K if tasks share nothing, each
            with a set of tables of its own; or K + 1 with task tables, the shared one first.
        initial_embedding: the mean with which the embeddings should start.
    """

    tells_fields_apart: ClassVar[bool] = False
    has_task_tables: ClassVar[bool] = False

    def __init__(self, tasks: int, *, dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if tasks < 1:
            raise ValueError(f"`tasks` must be at least 1. Received: {tasks}")
        self.tasks, self.dropout_rate = tasks, dropout_rate
        self.embeddings = 1
        self.initial_embedding = 0.0

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Map field embeddings to one representation per task.

        Args:
            inputs: the flattened field embeddings x, (B, I); a `FlatInput`; or a list of field
                embeddings, (B, D) each. `SingleTask`, whose tasks share no embeddings, reads a list
                as one input for each task, and `STEM` as the shared one and one for each task.
            training: whether dropout and the noise of gates are on.

        Returns:
            K representations, each (B, U), in the order of the tasks.
        """
        raise NotImplementedError

    @property
    def coefficients(self) -> list[tf.Variable]:
        """The variables that say how much is shared, which the trainer gives their own rate."""
        return [
            variable
            for variable in self.trainable_variables
            if variable.name.split("/")[-1].startswith(COEFFICIENTS)
        ]

    def penalties(self) -> dict[str, tf.Tensor]:
        """Return the terms to add to the joint loss by name: scalars, with their weights."""
        return {}

    def penalties_at(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the penalties at a step of the training, by the same names.

        Args:
            step: the number of steps before it, a scalar.
        """
        del step
        return self.penalties()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tasks": self.tasks, "dropout_rate": self.dropout_rate}
