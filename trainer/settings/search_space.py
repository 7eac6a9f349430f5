"""The settings that a search tries. Importing this module does not load TensorFlow."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from feature_spec.sections import Tuner
from feature_spec.strict_model import StrictModel
from trainer.settings.train_config import Settings, SettingsError, parse_settings

# These choose where and how to train and export, or what is compared. They make no model better.
_NOT_SEARCHED = {
    "model.name",
    "trainer.strategy",
    "trainer.materialize_transform",
    "trainer.export_dtype",
    "trainer.export_table_dtype",
    "trainer.export_xla",
    "trainer.seed",
}


def with_values(
    settings: Settings,
    values: Mapping[str, Any],
    inputs: Mapping[str, bool] | None = None,
    tasks: Sequence[str] | None = None,
) -> Settings:
    """Return the settings with other values.

    Args:
        settings: complete settings.
        values: values by path, such as ``trainer.learning_rate``.
        inputs: see `parse_settings`.
        tasks: see `parse_settings`.

    Raises:
        ValueError: a path or a value is wrong; the message names the closest valid ones.
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
        *outer, last = key.split(".")
        section: Any = parts[part]
        for place in outer:
            section = section.get(place)
            if not isinstance(section, dict):
                raise ValueError(f"{path}: {part}.{place} has no keys (it is {section!r})")
        section[last] = value
    return parse_settings(parts["model"], parts["trainer"], inputs, tasks)


def value_at(settings: Settings, path: str) -> Any:
    """Return the value at a valid path."""
    value: Any = settings
    for key in path.split("."):
        value = getattr(value, key)
    return value.model_dump() if isinstance(value, StrictModel) else value


def encoded(values: Sequence[Any]) -> list[Any]:
    """Encode values for KerasTuner.

    It knows the order of numbers, so numbers of one type stay as they are. Others become JSON.
    """
    if {type(value) for value in values} in ({int}, {float}):
        return list(values)
    return [json.dumps(value) for value in values]


def decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the values that KerasTuner chose, by path."""
    return {
        path: json.loads(value) if isinstance(value, str) else value
        for path, value in values.items()
    }


def check_search(
    tuner: Tuner,
    settings: Settings,
    inputs: Mapping[str, bool] | None = None,
    tasks: Sequence[str] | None = None,
) -> None:
    """Check that a search tries only settings of this model, valid values and valid pairs of them.

    A trial with settings that exclude each other would end the search, after all trials before it.

    Args:
        tuner: the search.
        settings: the settings that it begins with.
        inputs: see `parse_settings`.
        tasks: see `parse_settings`.

    Raises:
        SettingsError: some paths are no settings of this model or the trainer, or some values are
            invalid. The message lists all of them.
    """
    problems = []
    for path, dimension in tuner.search.items():
        if path in _NOT_SEARCHED:
            problems.append(f"tuner.search.{path}: cannot be searched")
            continue
        for value in dimension.extremes:
            try:
                with_values(settings, {path: value}, inputs, tasks)
            except ValueError as error:
                problem = f"tuner.search.{path}: {error}"
                if problem not in problems:
                    problems.append(problem)
    problems = problems or _excluding_pairs(tuner, settings, inputs, tasks)
    if problems:
        raise SettingsError(problems)


def _excluding_pairs(
    tuner: Tuner,
    settings: Settings,
    inputs: Mapping[str, bool] | None,
    tasks: Sequence[str] | None,
) -> list[str]:
    """Return why values of two settings, each of which is valid, are not so together."""
    problems = []
    for pair in itertools.combinations(tuner.search, 2):
        for values in itertools.product(*(tuner.search[path].extremes for path in pair)):
            try:
                with_values(settings, dict(zip(pair, values, strict=True)), inputs, tasks)
            except ValueError as error:
                chosen = ", ".join(
                    f"{path}={json.dumps(value)}" for path, value in zip(pair, values, strict=True)
                )
                problems.append(f"tuner.search: {chosen} may be tried together: {error}")
                break
    return problems
