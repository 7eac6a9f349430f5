"""Settings of a training run: the model and how it is fitted. Importing this does not load TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from feature_spec.strict_model import StrictModel, closest_names
from trainer.settings.model_config import MODELS, ModelSettings


class TrainerSettings(StrictModel):
    """A training run.

    Attributes:
        epochs: the most passes over the training examples.
        patience: epochs without a better validation before training stops.
        batch_size: examples a step.
        learning_rate: of Adam, for everything but the embedding tables and the sharing
            coefficients.
        coefficient_learning_rate: of Adam, for what says how much is shared: cross-stitch and
            sluice mixtures, and the gates of SNR and MSSM; and for the variances of `balancing:
            uncertainty`. They are few and have far to go.
        embedding_learning_rate: of Adagrad, for the embedding tables, whose rows are updated only
            where they occur.
        loss_weight_clock: what t counts in the loss weights ω_0 · γ^t of PLE Eq 10: `epoch` or
            `step`.
        balancing: what weighs the tasks beside ω, which it multiplies: `none`; `uncertainty`
            (Kendall et al., CVPR 2018); `dwa`, dynamic weight averaging (Liu et al., CVPR 2019);
            `gradnorm` (Chen et al., ICML 2018); `pcgrad` (Yu et al., NeurIPS 2020). The last two
            take a backward pass a task.
        dwa_temperature: T of `dwa`: the larger, the more alike the weights.
        gradnorm_alpha: α of `gradnorm`: how strongly tasks that lag behind are pulled.
        strategy: `none`; `mirrored`: the GPUs of the machine share each batch
            (`tf.distribute.MirroredStrategy`); or `multi_worker`: several machines do
            (`tf.distribute.MultiWorkerMirroredStrategy`), which TF_CONFIG names.
        warm_start: whether, in a run by span, training begins with the weights of the last blessed
            model of an earlier day.
        export_dtype: `float32`, or `bfloat16`: the exported model computes all but tables and heads
            in it, for GPUs.
        export_xla: whether the exported model scores ranking requests by XLA. Candidates are padded
            to the next of `serving.candidate_counts`, each of which is compiled when the model is
            loaded.
        seed: of initial weights and of the order of the examples.
    """

    epochs: PositiveInt = 10
    patience: PositiveInt = 1
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 0.001
    coefficient_learning_rate: PositiveFloat = 0.01
    embedding_learning_rate: PositiveFloat = 0.05
    loss_weight_clock: Literal["epoch", "step"] = "epoch"
    balancing: Literal["none", "uncertainty", "dwa", "gradnorm", "pcgrad"] = "none"
    dwa_temperature: PositiveFloat = 2.0
    gradnorm_alpha: NonNegativeFloat = 1.5
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    warm_start: bool = True
    export_dtype: Literal["float32", "bfloat16"] = "float32"
    export_xla: bool = False
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
    for part, kind, values in (
        ("model", MODELS[name], own),
        ("trainer", TrainerSettings, dict(trainer)),
    ):
        try:
            parts[part] = kind.model_validate(values)
        except pydantic.ValidationError as error:
            for detail in error.errors():
                path = ".".join([part, *map(str, detail["loc"])])
                received = (
                    "" if detail["type"] == "unknown_key" else f" (received {detail['input']!r})"
                )
                problems.append(f"{path}: {detail['msg']}{received}")
    if problems:
        raise ValueError("; ".join(problems))
    return Settings(name=name, **parts)


def in_one_process(settings: Settings) -> Settings:
    """The settings for a training in which no other worker takes part: without the strategy `multi_worker`."""
    if settings.trainer.strategy != "multi_worker":
        return settings
    return settings.model_copy(
        update={"trainer": settings.trainer.model_copy(update={"strategy": "none"})}
    )


def load_settings(text: str) -> Settings:
    """Settings from the JSON that `Settings.model_dump_json` writes."""
    received = json.loads(text)
    return parse_settings({"name": received["name"], **received["model"]}, received["trainer"])
