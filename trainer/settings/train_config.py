"""The settings of a training run: the model and how it is fitted.

Importing this module does not load TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat

from feature_spec.strict_model import PositiveInt, Seed, StrictModel, closest_names, text_of
from trainer.settings.model_config import MODELS
from trainer.settings.model_settings import ModelSettings


class TrainerSettings(StrictModel):
    """The settings of the trainer.

    Attributes:
        epochs: the maximum number of passes over the training examples.
        patience: the number of epochs without a better validation before training stops.
        batch_size: the number of examples a step.
        learning_rate: Adam's rate for all weights but embedding tables and sharing coefficients.
        coefficient_learning_rate: Adam's rate for the weights that say how much is shared
            (mixtures of cross-stitch and sluice networks, gates of SNR, MSSM and DSelect-k, MSSM's
            masks, AdaTT's weights of own experts) and for the variances of `balancing:
            uncertainty`. They are few and have far to go.
        embedding_learning_rate: Adagrad's rate for the embedding tables. Only rows that occur in a
            batch are updated.
        embedding_initial_accumulator: the start of Adagrad's accumulators, in squares of one
            example's gradient. The larger it is, the more examples of a row pass before its steps
            become smaller. The same value suits all batch sizes.
        gradient_clip_norm: the largest global norm of a step's gradients, to which longer ones are
            scaled; null to scale none.
        average_steps: the number of last steps over which all weights but embedding tables are
            averaged, exponentially; the averages are validated and exported. null for none.
        checkpoint_minutes: minutes between two checkpoints within an epoch, from which a killed
            run goes on. There is one after each epoch, too.
        loss_weight_clock: the unit of t in the loss weights ω_0 · γ^t of PLE, Eq 10: `epoch` or
            `step`.
        balancing: the method that weighs tasks in addition to ω: `none`; `uncertainty` (Kendall et
            al., CVPR 2018); `dwa`, dynamic weight average (Liu et al., CVPR 2019); `famo` (Liu et
            al., NeurIPS 2023); `stch`, smooth Tchebycheff (Lin et al., ICML 2024); `gradnorm` (Chen
            et al., ICML 2018); or `pcgrad` (Yu et al., NeurIPS 2020). The last two take a backward
            pass for each task.
        dwa_temperature: T of `dwa`. The larger T, the more alike the weights.
        famo_decay: γ of `famo`. The larger γ, the nearer the weights stay to equal ones.
        gradnorm_alpha: α of `gradnorm`. The larger α, the more strongly tasks that lag behind are
            pulled.
        stch_smoothness: μ of `stch`. The smaller μ, the more the worst task decides alone.
        strategy: `none`; `mirrored`: the GPUs of one machine share each batch
            (`tf.distribute.MirroredStrategy`); or `multi_worker`: the machines that TF_CONFIG names
            share each batch (`tf.distribute.MultiWorkerMirroredStrategy`).
        materialize_transform: whether the pipeline's Transform writes transformed examples by Beam,
            for the trainer to read; otherwise the trainer transforms ingested examples itself.
            The weights are the same.
        warm_start: whether a run by span begins with the weights of the last blessed model of an
            earlier day.
        export_dtype: `float32`; or `bfloat16`, in which the exported model then computes all but
            tables and heads, for GPUs.
        export_table_dtype: the type of the exported model's embedding tables: `float32`, `float16`,
            or `int8` with a scale for each row.
        export_xla: whether the exported model scores ranking requests by XLA. Candidates are padded
            to the next of `serving.candidate_counts`, each of which is compiled when the model is
            loaded.
        seed: the seed of initial weights, of the order of examples and of noise: dropout, gates.
    """

    epochs: PositiveInt = 10
    patience: PositiveInt = 1
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 0.001
    coefficient_learning_rate: PositiveFloat = 0.01
    embedding_learning_rate: PositiveFloat = 0.1
    embedding_initial_accumulator: PositiveFloat = 0.01
    gradient_clip_norm: PositiveFloat | None = 10.0
    average_steps: PositiveInt | None = None
    checkpoint_minutes: PositiveFloat = 10.0
    loss_weight_clock: Literal["epoch", "step"] = "epoch"
    balancing: Literal["none", "uncertainty", "dwa", "famo", "stch", "gradnorm", "pcgrad"] = "none"
    dwa_temperature: PositiveFloat = 2.0
    famo_decay: NonNegativeFloat = 0.001
    gradnorm_alpha: NonNegativeFloat = 1.5
    stch_smoothness: PositiveFloat = 0.1
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    materialize_transform: bool = False
    warm_start: bool = True
    export_dtype: Literal["float32", "bfloat16"] = "float32"
    export_table_dtype: Literal["float32", "float16", "int8"] = "float32"
    export_xla: bool = False
    seed: Seed = 42

    @pydantic.field_validator("balancing")
    @classmethod
    def _more_epochs_than_the_warm_up(cls, value: str, info: pydantic.ValidationInfo) -> str:
        if value == "stch" and info.data.get("epochs") == 1:
            raise ValueError("stch needs trainer.epochs of 2 or more: the first is its warm-up")
        return value


class Settings(StrictModel):
    """A model and how it is trained.

    Attributes:
        name: the model's name, a key of `MODELS`.
        model: the settings of the model.
        trainer: the settings of the trainer.
    """

    name: str
    model: pydantic.SerializeAsAny[ModelSettings]
    trainer: TrainerSettings

    @pydantic.model_validator(mode="before")
    @classmethod
    def _settings_of_the_named_model(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("model"), dict):
            kind = _settings_of(data.get("name"))
            return {**data, "model": kind.model_validate(data["model"])}
        return data


def _settings_of(name: Any) -> type[ModelSettings]:
    """Return the kind of settings of a model; raise ValueError with the closest names."""
    if not isinstance(name, str) or name not in MODELS:
        raise ValueError(f"model.name: no such model {name!r}: {closest_names(str(name), MODELS)}")
    return MODELS[name]


DEFAULT_MODEL = "ple"


class SettingsError(ValueError):
    """Settings of a model, of the trainer or of a search are wrong.

    Attributes:
        problems: each mistake with its place, the value received and what is valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def parse_settings(
    model: Mapping[str, Any],
    trainer: Mapping[str, Any],
    inputs: Mapping[str, bool] | None = None,
    tasks: Sequence[str] | None = None,
) -> Settings:
    """Parse the `model` and `trainer` sections of a spec or the command line.

    Args:
        model: the model's `name` and its settings.
        trainer: the settings of the trainer.
        inputs: whether it has rows of a table, by the name of what the model reads; None to leave
            fields that settings name unchecked.
        tasks: the names of the spec's tasks; None to leave tasks that settings name unchecked.

    Raises:
        SettingsError: a model, a key, a field or a task is unknown (the message names the closest
            valid ones), or a value is out of range.
    """
    name = model.get("name", DEFAULT_MODEL)
    own = {key: value for key, value in model.items() if key != "name"}
    sections: list[tuple[str, type[StrictModel], dict[str, Any]]] = []
    problems, defaults = [], {}
    try:
        kind_of_model = _settings_of(name)
        sections.append(("model", kind_of_model, own))
        defaults = dict(kind_of_model.trainer_defaults)
    except ValueError as error:
        problems.append(str(error))
    sections.append(("trainer", TrainerSettings, {**defaults, **trainer}))
    parts: dict[str, Any] = {}
    for part, kind, values in sections:
        try:
            parts[part] = kind.model_validate(values)
        except pydantic.ValidationError as error:
            for detail in error.errors():
                path = ".".join([part, *map(str, detail["loc"])])
                received = (
                    "" if detail["type"] == "unknown_key" else f" (received {detail['input']!r})"
                )
                problems.append(f"{path}: {text_of(detail)}{received}")
    if inputs is not None and "model" in parts:
        problems += _unknown_fields(parts["model"], inputs)
    if tasks is not None and "model" in parts:
        problems += _wrong_tasks(parts["model"], tasks)
    if problems:
        raise SettingsError(problems)
    return Settings(name=name, **parts)


def _unknown_fields(model: ModelSettings, inputs: Mapping[str, bool]) -> list[str]:
    """Return the names in a model's settings that stand for nothing that it reads."""
    problems = []
    for setting, named in model.named_fields.items():
        needs_table = setting in model.named_tables
        valid = [name for name, has_table in inputs.items() if has_table or not needs_table]
        if needs_table and not valid:
            problems.append(
                f"model.{setting}: the model needs a field with embeddings, and reads none: "
                f"{', '.join(inputs)}"
            )
            continue
        which = "with embeddings " if needs_table else ""
        problems += [
            f"model.{setting}: no such field {name!r} {which}that the model reads: "
            f"{closest_names(name, valid)}"
            for name in named
            if name not in valid
        ]
    return problems


def _wrong_tasks(model: ModelSettings, tasks: Sequence[str]) -> list[str]:
    """Return what keeps settings that name all tasks from doing so."""
    problems = []
    for setting, named in model.named_tasks.items():
        problems += [
            f"model.{setting}: no such task {name!r}: {closest_names(name, tasks)}"
            for name in named
            if name not in tasks
        ]
        missing = [name for name in tasks if name not in named]
        if missing:
            problems.append(
                f"model.{setting}: every task needs a place (missing: {', '.join(missing)})"
            )
    return problems


def in_one_process(settings: Settings) -> Settings:
    """Return the settings for a training without other workers: not `multi_worker`."""
    if settings.trainer.strategy != "multi_worker":
        return settings
    return settings.model_copy(
        update={"trainer": settings.trainer.model_copy(update={"strategy": "none"})}
    )
