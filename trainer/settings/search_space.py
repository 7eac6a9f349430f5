"""The settings that a search tries. Importing this does not load TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from feature_spec.sections import Tuner
from trainer.settings.train_config import Settings, parse_settings

# They choose where and how to train and export, or what is compared, and make no model better.
_NOT_SEARCHED = {
    "model.name",
    "trainer.strategy",
    "trainer.export_dtype",
    "trainer.export_xla",
    "trainer.seed",
}


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values.

    Args:
        settings: complete.
        values: by path, such as ``trainer.learning_rate``.

    Raises:
        ValueError: a path or a value is wrong, with the closest valid names.
    """
    parts = {
        "model": {"name": settings.name, **settings.model.model_dump()},
        "trainer": settings.trainer.model_dump(),
    }
    for path, value in values.items():
        part, _, key = path.partition(".")
        if part not in parts or not key:
            raise ValueError(
                f"{path}: give a setting of the model or the trainer, such as trainer.learning_rate"
            )
        parts[part][key] = value
    return parse_settings(parts["model"], parts["trainer"])


def value_at(settings: Settings, path: str) -> Any:
    """The value of a valid path."""
    part, _, key = path.partition(".")
    return getattr(getattr(settings, part), key)


def encoded(values: Sequence[Any]) -> list[Any]:
    """Values as KerasTuner takes them: numbers of one type, whose order it knows, as they are, and all others as JSON."""
    if {type(value) for value in values} in ({int}, {float}):
        return list(values)
    return [json.dumps(value) for value in values]


def decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by path from what KerasTuner chose."""
    return {
        path: json.loads(value) if isinstance(value, str) else value
        for path, value in values.items()
    }


def check_search(tuner: Tuner, settings: Settings) -> None:
    """Refuses what cannot be searched.

    Raises:
        ValueError: lists every path that is no setting of this model or its run, and every value
            that it may not have.
    """
    problems = []
    for path, dimension in tuner.search.items():
        if path in _NOT_SEARCHED:
            problems.append(f"tuner.search.{path}: cannot be searched")
            continue
        for value in dimension.extremes:
            try:
                with_values(settings, {path: value})
            except ValueError as error:
                problem = f"tuner.search.{path}: {error}"
                if problem not in problems:
                    problems.append(problem)
    if problems:
        raise ValueError("; ".join(problems))
