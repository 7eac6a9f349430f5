"""A feature spec with values that the command line replaces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from feature_spec.loading import SpecError, load_spec, parse_spec
from feature_spec.spec import FeatureSpec, given_part
from feature_spec.training_settings import checked_trainer_settings, default_model
from feature_spec.yaml_text import YamlTextError, read_yaml

__all__ = ["checked_trainer_settings", "load_overridden_spec"]


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
    document = given_part(spec)
    if model is not None:
        default = default_model()
        own = document.get("model", {})
        document["model"] = {**(own if own.get("name", default) == model else {}), "name": model}
    for override in overrides:
        _put(document, override)
    return parse_spec(
        json.dumps(document),
        source=f"{path} with {' '.join(f'--set {override}' for override in overrides)}",
    )


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
