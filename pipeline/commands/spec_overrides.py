"""A feature spec with values that the command line replaces."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any

from feature_spec.loading import SpecError, load_spec, parse_spec
from feature_spec.spec import FeatureSpec
from feature_spec.yaml_text import YamlTextError, read_yaml

# Named by string: the pipeline does not import the trainer.
_SETTINGS_MODULE = "trainer.settings.train_config"
_SEARCH_MODULE = "trainer.settings.search_space"


def load_overridden_spec(
    path: str, overrides: Sequence[str], model: str | None = None
) -> FeatureSpec:
    """Read a spec, apply the overrides, and check the whole.

    Args:
        path: a YAML file or the name of a ready spec.
        overrides: assignments of YAML values to paths in the spec, such as ``trainer.epochs=3``.
        model: the name of a model. The `model` settings of the spec are dropped if they belong to
            another model.

    Raises:
        SpecError: the spec or an override is wrong.
    """
    spec = load_spec(path)
    if not overrides and model is None:
        return spec
    document = spec.model_dump(mode="json", exclude_unset=True)
    if model is not None:
        default = importlib.import_module(_SETTINGS_MODULE).DEFAULT_MODEL
        own = document.get("model", {})
        document["model"] = {**(own if own.get("name", default) == model else {}), "name": model}
    for override in overrides:
        _put(document, override)
    return parse_spec(
        json.dumps(document),
        source=f"{path} with {' '.join(f'--set {override}' for override in overrides)}",
    )


def checked_trainer_settings(spec: FeatureSpec) -> str:
    """Return JSON of the trainer's complete settings.

    Raises:
        SpecError: the spec's `model`, `trainer` or `tuner` section is wrong.
    """
    try:
        settings = importlib.import_module(_SETTINGS_MODULE).parse_settings(
            spec.model, spec.trainer
        )
        if spec.tuner is not None:
            importlib.import_module(_SEARCH_MODULE).check_search(spec.tuner, settings)
    except ValueError as error:
        raise SpecError(str(error)) from error
    text: str = settings.model_dump_json()
    return text


def _put(document: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise SpecError(f"--set {override}: give a path and a value, such as trainer.epochs=3")
    try:
        value = read_yaml(text, f"--set {override}")
    except YamlTextError as error:
        raise SpecError(f"--set {override}: the value is not valid YAML: {error}") from error
    inner = document
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SpecError(
                f"--set {override}: {key!r} holds a value and no keys (received {inner!r})"
            )
    inner[keys[-1]] = value
