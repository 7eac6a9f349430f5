"""Settings of models and of training runs. Importing this does not load TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import PositiveFloat, PositiveInt

from feature_spec.strict_model import StrictModel, closest_names

Units = Annotated[list[PositiveInt], pydantic.Field(min_length=1)]
DropoutRate = Annotated[float, pydantic.Field(ge=0.0, lt=1.0)]


class ModelSettings(StrictModel):
    """What every model has.

    Attributes:
        tower_units: hidden units of each task's tower.
        dropout_rate: share of units dropped in experts, bottoms and towers while training; gates have no dropout.
    """

    tower_units: list[PositiveInt] = [64, 32]
    dropout_rate: DropoutRate = 0.0


class SingleTaskSettings(ModelSettings):
    """One network a task: `bottom_units` are the layers below its tower."""

    bottom_units: Units = [128]


class SharedBottomSettings(ModelSettings):
    """One bottom for all tasks with layers of `bottom_units`."""

    bottom_units: Units = [256]


class PLESettings(ModelSettings):
    """Progressive Layered Extraction.

    Attributes:
        levels: L, levels of extraction.
        task_experts: m_k, own experts of each task on each level.
        shared_experts: m_s, shared experts on each level.
        expert_units: units of each expert's layers; the paper's have one.
    """

    levels: PositiveInt = 2
    task_experts: PositiveInt = 2
    shared_experts: PositiveInt = 2
    expert_units: Units = [64]


MODELS: dict[str, type[ModelSettings]] = {
    "single_task": SingleTaskSettings,
    "shared_bottom": SharedBottomSettings,
    "ple": PLESettings,
}


class TrainerSettings(StrictModel):
    """A training run.

    Attributes:
        epochs: the most passes over the training examples.
        patience: epochs without a better validation before training stops.
        batch_size: examples a step.
        learning_rate: of Adam, for everything but the embedding tables.
        embedding_learning_rate: of Adagrad, for the embedding tables, whose rows are updated only where they occur.
        loss_weight_clock: what t counts in the loss weights ω_0 · γ^t of PLE Eq 10: `epoch` or `step`.
        seed: of initial weights and of the order of the examples.
    """

    epochs: PositiveInt = 10
    patience: PositiveInt = 1
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 0.001
    embedding_learning_rate: PositiveFloat = 0.05
    loss_weight_clock: Literal["epoch", "step"] = "epoch"
    seed: int = 42


class Settings(StrictModel):
    """A model and how it is trained.

    Attributes:
        name: the model, a key of `MODELS`.
        model: its settings.
        trainer: the run's.
    """

    name: str
    model: pydantic.SerializeAsAny[ModelSettings]
    trainer: TrainerSettings


DEFAULT_MODEL = "ple"


def parse_settings(model: Mapping[str, Any], trainer: Mapping[str, Any]) -> Settings:
    """Settings from the `model` and `trainer` parts of a spec or the command line.

    Args:
        model: `name` and settings of that model.
        trainer: settings of the run.

    Raises:
        ValueError: an unknown model or key, with the closest valid names; or a value out of range.
    """
    name = model.get("name", DEFAULT_MODEL)
    if name not in MODELS:
        raise ValueError(f"model.name: no such model {name!r}: {closest_names(str(name), MODELS)}")
    own = {key: value for key, value in model.items() if key != "name"}
    problems = []
    parts: dict[str, Any] = {}
    for part, kind, values in (("model", MODELS[name], own), ("trainer", TrainerSettings, dict(trainer))):
        try:
            parts[part] = kind.model_validate(values)
        except pydantic.ValidationError as error:
            for detail in error.errors():
                path = ".".join([part, *map(str, detail["loc"])])
                received = "" if detail["type"] == "unknown_key" else f" (received {detail['input']!r})"
                problems.append(f"{path}: {detail['msg']}{received}")
    if problems:
        raise ValueError("; ".join(problems))
    return Settings(name=name, **parts)


def load_settings(text: str) -> Settings:
    """Settings from the JSON that `Settings.model_dump_json` writes."""
    received = json.loads(text)
    return parse_settings({"name": received["name"], **received["model"]}, received["trainer"])
