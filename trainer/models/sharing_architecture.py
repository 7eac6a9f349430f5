"""The one interface of all models: field embeddings in, one representation a task out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow as tf

from trainer.layers.flat_input import FlatInput
from trainer.models.inner_values import Block, Coefficients, GateWeights
from trainer.pruning.pruned_sharing import Pruning
from trainer.pruning.value_bounds import InputFields
from trainer.settings.model_config import ModelSettings

# Names of the variables in `coefficients`: gates of SNR and MSSM, mixtures of cross-stitch and
# sluice.
COEFFICIENTS = ("log_alpha", "alpha", "beta")


class SharingArchitecture(tf.keras.layers.Layer):
    """What a model is beside its embeddings, towers and heads, which all models have in common.

    Args:
        tasks: K.
        settings: the model's settings, of `settings_type`.
        field_widths: D of each field in the order of the flattened input, for models that tell
            fields apart.

    Attributes:
        settings_type: the class of its settings.
        embeddings: independent sets of embedding tables that it reads: 1, or K where tasks share
            nothing at all.
        initial_embedding: the mean that the tables start with.
    """

    settings_type: ClassVar[type[ModelSettings]]

    def __init__(
        self, tasks: int, settings: Any, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if tasks < 1:
            raise ValueError(f"`tasks` must be at least 1. Received: {tasks}")
        if not isinstance(settings, self.settings_type):
            raise TypeError(
                f"`settings` must be {self.settings_type.__name__}. Received: {settings!r}"
            )
        self.tasks = tasks
        self.settings: Any = settings
        self.field_widths = tuple(field_widths)
        self.embeddings = 1
        self.initial_embedding = 0.0

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Shares what it shares.

        Args:
            inputs: `embeddings` flattened inputs x, each (B, I).
            training: whether dropout is on.

        Returns:
            K representations, each (B, U), in the order of the tasks.
        """
        raise NotImplementedError

    @property
    def coefficients(self) -> list[tf.Variable]:
        """The variables that say how much is shared, which learn at a rate of their own."""
        return [
            variable
            for variable in self.trainable_variables
            if variable.name.split("/")[-1].startswith(COEFFICIENTS)
        ]

    def penalties(self) -> dict[str, tf.Tensor]:
        """Terms that the architecture adds to the joint loss, by name; scalars, weights included."""
        return {}

    def gate_weights(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, GateWeights]:
        """What each softmax gate gives for `inputs`, by the gate's name: its level, and the task or expert that it serves."""
        del inputs, tasks
        return {}

    def field_masks(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, tf.Tensor]:
        """The masks (B, F) of each sub-network that chooses its fields, by its name; fields in the order of `field_widths`."""
        del inputs, tasks
        return {}

    def blocks(self, tasks: Sequence[str]) -> list[Block]:
        """The blocks of its connections that hard-concrete gates open and close."""
        del tasks
        return []

    def mixtures(self, tasks: Sequence[str]) -> list[Coefficients]:
        """The mixtures that it has learnt."""
        del tasks
        return []

    def closed_shares(self) -> dict[str, float]:
        """The share of hard-concrete gates that are closed, by connection."""
        gates: dict[str, list[tf.Tensor]] = {}
        for block in self.blocks([str(task) for task in range(self.tasks)]):
            gates.setdefault(block.connection, []).append(block.gates)
        return {
            name: float(np.mean(np.concatenate(values) == 0.0)) for name, values in gates.items()
        }

    def pruned(self, inputs: InputFields) -> Pruning | None:
        """What it computes once it is trained, without what hard-concrete gates closed; None where it has no such gates."""
        del inputs
        return None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "settings": self.settings.model_dump(),
            "field_widths": self.field_widths,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "settings": cls.settings_type.model_validate(config["settings"])})
