"""The settings that all models have. Importing this module does not load TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self

import pydantic
from pydantic import NonNegativeInt

from feature_spec.strict_model import PositiveInt, StrictModel
from trainer.settings.personalise import Personalise

DropoutRate = Annotated[float, pydantic.Field(ge=0.0, lt=1.0)]

# The settings of what stands before and behind a model, which its class does not know.
AROUND_MODELS = (
    "tower_units",
    "history_dropout_rate",
    "cross_layers",
    "cross_rank",
    "personalise",
)


class ModelSettings(StrictModel):
    """The settings that all models have.

    Attributes:
        architecture: import path of the model's class, `module:class`.
        trainer_defaults: settings of the trainer whose defaults do not suit the model.
        tower_units: hidden units of each task's tower.
        dropout_rate: share of units dropped in experts, bottoms and towers in training. Gates have
            no dropout.
        history_dropout_rate: share of units dropped in training of what a candidate reads of a
            history that it attends to.
        personalise: fields whose embeddings gate the model's input and its towers, as in PEPNet:
            `domain`, `prior` and `units`; null for no gates.
        cross_layers: layers that cross the fields before the model reads them (DCN V2, Wang et al.,
            WWW 2021); 0 for none.
        cross_rank: rank of the matrices of these layers; null for whole matrices.
    """

    architecture: ClassVar[str]
    trainer_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    tower_units: list[PositiveInt] = [64, 32]
    dropout_rate: DropoutRate = 0.0
    history_dropout_rate: DropoutRate = 0.0
    cross_layers: NonNegativeInt = 0
    cross_rank: PositiveInt | None = 32
    personalise: Personalise | None = None

    @pydantic.model_validator(mode="after")
    def _prior_gates_hidden_units(self) -> Self:
        if self.personalise is not None and self.personalise.prior and not self.tower_units:
            raise ValueError(
                "'personalise.prior' gates the hidden units of towers, and 'tower_units' is empty"
            )
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the model's class."""
        return self.model_dump(exclude=set(AROUND_MODELS))

    @property
    def named_fields(self) -> dict[str, list[str]]:
        """The fields of a spec that these settings name, by the path of the setting."""
        if self.personalise is None:
            return {}
        return {f"personalise.{key}": getattr(self.personalise, key) for key in ("domain", "prior")}

    @property
    def named_tables(self) -> set[str]:
        """The settings of `named_fields` whose fields must have rows of a table."""
        return set()

    def arguments_for(self, tasks: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of the model's class, with the positions of tasks for their names.

        Args:
            tasks: the tasks that are trained: all of the spec, or one that is trained alone.
        """
        del tasks
        return self.arguments

    @property
    def named_tasks(self) -> dict[str, list[str]]:
        """The tasks that a setting names, by the setting; it has to name all tasks of the spec."""
        return {}

    def numbers_of_a_row(self, width: int, fields: Collection[str], tasks: int) -> int:
        """Return how many numbers a row takes in all tables together.

        Args:
            width: D, the embedding width of the fields whose row it is.
            fields: all fields of this width.
            tasks: K.
        """
        del fields, tasks
        return width
