"""Reads feature specs and formula files from YAML; lists every mistake by file, path and value."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from feature_spec.formula import DURATION, RankingFormula, weights_in_force
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import StrictModel, closest_names, text_of
from feature_spec.tasks.chain import factored, formula_problems
from feature_spec.yaml_text import YamlTextError, read_yaml

Model = TypeVar("Model", bound=StrictModel)


class SpecError(ValueError):
    """A feature spec cannot be used. The message lists each path, value and remedy by line.

    Attributes:
        problems: each mistake with its path, the value and a remedy; none if the text is no spec.
    """

    def __init__(self, text: str, problems: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.problems = list(problems)

    @classmethod
    def of(cls, source: str, problems: Sequence[str]) -> SpecError:
        """Return the error that lists the mistakes of a source by line."""
        count = f"{len(problems)} error{'s' * (len(problems) > 1)}"
        lines = [f"{source}: {count}", *(f"  {problem}" for problem in problems)]
        return cls("\n".join(lines), problems)


def ready_specs() -> dict[str, Path]:
    """Return the files of the specs that ship with Fulcrum, by name."""
    folder = Path(str(resources.files("feature_spec"))) / "specs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_spec(path: str | Path) -> FeatureSpec:
    """Read a feature spec.

    Args:
        path: a YAML file, or the name of a ready spec such as ``kuairand``.

    Raises:
        SpecError: the file is missing, is not YAML, or does not describe a ranking system.
    """
    text, source = read_spec(path)
    return parse_spec(text, source)


def read_spec(path: str | Path) -> tuple[str, str]:
    """Return the text of a spec, and what errors call it: its file.

    Args:
        path: a YAML file, or the name of a ready spec such as ``kuairand``.

    Raises:
        SpecError: the file cannot be read.
    """
    path = ready_specs().get(str(path), Path(path))
    return _read(path, f". Ready specs: {', '.join(ready_specs())}"), str(path)


def parse_spec(text: str, source: str = "<spec>") -> FeatureSpec:
    """Read a feature spec from YAML (or JSON) text; errors call it `source`.

    Raises:
        SpecError: the text is not YAML or does not describe a ranking system.
    """
    return validated_yaml(FeatureSpec, text, source, "a spec")


def validated_yaml(model: type[Model], text: str, source: str, kind: str) -> Model:
    """Read YAML (or JSON) text into a model; errors call it `source` and `kind`.

    Raises:
        SpecError: the text is not YAML, or not valid.
    """
    try:
        received = read_yaml(text, source)
    except YamlTextError as error:
        raise SpecError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(received, dict):
        raise SpecError(
            f"{source}: {kind} is a mapping with {', '.join(model.model_fields)}; "
            f"received {_shown(received)}"
        )
    try:
        return model.model_validate(received)
    except pydantic.ValidationError as error:
        lines = [_line(received, detail) for detail in error.errors()]
        raise SpecError.of(source, lines) from error


def _line(spec: dict[Any, Any], detail: Any) -> str:
    """Return the line for one mistake: its path in the YAML, the value, and what is valid."""
    path, value = [], spec
    missing = detail["type"] in ("missing", "union_tag_not_found")
    for part in detail["loc"]:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int)
        ):
            value = value[part]
        elif not (detail["type"] == "missing" and part is detail["loc"][-1]):
            # pydantic adds the kind of a field to the path, which the YAML does not have
            continue
        path.append(str(part))
    text = _valid(detail)
    if missing or detail["type"] == "unknown_key":
        received = ""
    else:
        is_key = detail["loc"][-1:] == ("[key]",)
        if is_key and isinstance(value, dict) and "column" in value:
            # The remedy for a name keeps the column that is given beside it.
            text = text.partition(": {column: ")[0]
        received = f" (received {_shown(detail['input'] if is_key else value)})"
    return f"{'.'.join(path) or 'top level'}: {text}{received}"


def _valid(detail: Any) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        name = context["discriminator"].strip("'")
        return f"{name} {context['tag']!r} does not exist: {closest_names(context['tag'], tags)}"
    if detail["type"] == "union_tag_not_found":
        return f"needs a key {context['discriminator'].strip(chr(39))}"
    return text_of(detail)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


class _FormulaFile(StrictModel):
    ranking_formula: RankingFormula


def load_formula(path: Path) -> RankingFormula:
    """Read a ranking formula from a file of its own: a spec's section `ranking_formula`.

    Raises:
        SpecError: the file cannot be read or does not hold a ranking formula.
    """
    text = _read(path)
    return validated_yaml(_FormulaFile, text, str(path), "a formula file").ranking_formula


def _read(path: Path, remedy: str = "") -> str:
    """Return the text of a file; the error for one that cannot be read ends with `remedy`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}{remedy}") from error


def formula_yaml(formula: RankingFormula, *comments: str) -> str:
    """Return a formula as the YAML of a formula file, below lines of comment."""
    content = yaml.safe_dump(
        {"ranking_formula": formula.model_dump(mode="json", exclude_none=True)}, sort_keys=False
    )
    return "".join(f"# {comment}\n" for comment in comments) + content


def request_weights(formula: RankingFormula, spec: FeatureSpec, source: Path) -> dict[str, float]:
    """Return the exponents that make a served model rank by another formula.

    Args:
        formula: the formula to rank by, from a file.
        spec: the spec of the served model.
        source: the formula's file, for errors.

    Raises:
        SpecError: the formula names a task that the spec does not have, or transforms the duration
            differently, which no request can.
    """
    of_joints = spec.joints
    for problem in formula_problems(formula.weights, spec.tasks, of_joints):
        whose = f"spec {spec.name} has " if problem.text.startswith("no such") else ""
        raise SpecError(f"{source}: weights.{problem.place[-1]}: {whose}{problem.text}")
    formula = formula.model_copy(update={"weights": factored(formula.weights, of_joints)})
    own = spec.ranking_formula.duration
    if formula.duration is not None and (
        own is None
        or own.model_copy(update={"weight": formula.duration.weight}) != formula.duration
    ):
        raise SpecError(
            f"{source}: duration: a request can change its weight only: "
            f"received {formula.duration!r}; spec {spec.name} has {own!r}"
        )
    weights = weights_in_force(formula, spec.tasks)
    return weights if own is None else {DURATION: 0.0, **weights}
