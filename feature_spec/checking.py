"""The check of a whole spec, with the settings of the model, the trainer and the search."""

from __future__ import annotations

from typing import Any

import pydantic

from feature_spec.histories.attention import model_inputs
from feature_spec.loading import SpecError, parse_spec, read_spec
from feature_spec.sections import Tuner
from feature_spec.spec import FeatureSpec
from feature_spec.training_settings import chain_problems, settings_problems
from feature_spec.yaml_text import read_yaml


def checked_spec(path: str) -> FeatureSpec:
    """Read a feature spec, and check the sections that only the trainer reads as well.

    Args:
        path: a YAML file, or the name of a ready spec such as ``kuairand``.

    Raises:
        SpecError: the file cannot be read, or has mistakes; the error lists those of all sections.
    """
    text, source = read_spec(path)
    spec, problems = None, []
    try:
        spec = parse_spec(text, source)
    except SpecError as error:
        if not error.problems:
            raise
        problems = error.problems
    inputs = model_inputs(spec.served.fields, spec.histories) if spec is not None else None
    tasks = list(spec.tasks) if spec is not None else None
    problems += _settings_problems(read_yaml(text, source), inputs, tasks)
    problems += chain_problems(spec) if spec is not None else []
    if spec is None or problems:
        raise SpecError.of(source, problems)
    return spec


def _settings_problems(
    document: dict[Any, Any], inputs: dict[str, bool] | None, tasks: list[str] | None
) -> list[str]:
    """Return the mistakes in the trainer's sections, as far as these are mappings at all."""
    model, trainer = document.get("model", {}), document.get("trainer", {})
    try:
        tuner = Tuner.model_validate(document["tuner"]) if document.get("tuner") else None
    except pydantic.ValidationError:
        tuner = None  # the spec's own check says so
    return settings_problems(
        model if isinstance(model, dict) else {},
        trainer if isinstance(trainer, dict) else {},
        tuner,
        inputs,
        tasks,
    )
