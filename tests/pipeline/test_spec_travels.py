"""Numbers and texts of a spec survive every way that it travels, bit for bit."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.step_specs import (
    evaluation_spec,
    gain_spec,
    serving_spec,
    training_spec,
    transform_spec,
)
from trainer.inputs.training_job import TrainingJob
from trainer.settings.train_config import Settings, parse_settings

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
# What the graph computes with must be a number of float32.
NUMBERS_OF_THE_GRAPH = st.floats(-3e38, 3e38)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def document(bounds: list[Any], weight: Any, tolerance: Any, text: str) -> dict[str, Any]:
    low, default, high = sorted(bounds)
    default = max(-3e38, min(3e38, default)) if low <= 3e38 and high >= -3e38 else None
    return {
        "name": "tiny",
        "logs": {
            "exposures": {"path": ["*.jsonl"], "format": "jsonl"}, "missing_values": ["", text],
        },
        "split": {"evaluation_files": ["e.jsonl"]},
        "fields": {
            "item": {"side": "item", "kind": "categorical", "column": text, "default": text},
            "price": {
                "side": "item", "kind": "numeric", "minimum": low, "maximum": high, "default": default,
            },
        },
        "tasks": {
            "value": {
                "kind": "regression", "label": {"rule": "column", "column": "v"}, "metric": "mse",
                "threshold": tolerance, "tolerance": tolerance,
            },
        },
        "ranking_formula": {"weights": {"value": weight}},
        "serving": {"score_tolerance": tolerance},
    }  # fmt: skip


def numbers(spec: FeatureSpec) -> dict[str, Any]:
    price, item, task = spec.fields["price"], spec.fields["item"], spec.tasks["value"]
    return {
        "minimum": price.minimum, "maximum": price.maximum, "default": price.default,
        "threshold": task.threshold, "tolerance": task.tolerance,
        "weight": spec.ranking_formula.weights.get("value"), "score": spec.serving.score_tolerance,
        "column": item.column, "text": item.default, "missing": spec.logs.missing_values,
    }  # fmt: skip


def bits(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: struct.pack("<d", value) if isinstance(value, float) else value
        for name, value in values.items()
    }


# Each step's part, and what it keeps of the numbers.
FIELD = {"minimum", "maximum", "default"}
PARTS: list[tuple[Callable[[FeatureSpec], str], set[str]]] = [
    (transform_spec, FIELD | {"text"}),
    (training_spec, FIELD | {"text", "column", "weight"}),
    (serving_spec, FIELD | {"text", "column", "weight", "score"}),
    (evaluation_spec, FIELD | {"text", "column", "weight", "threshold", "tolerance"}),
    (gain_spec, FIELD | {"text", "column", "weight"}),
]


@given(
    st.lists(FLOATS, min_size=3, max_size=3),
    NUMBERS_OF_THE_GRAPH,
    st.floats(0.0, allow_infinity=False),
    TEXTS,
)
@example([-0.0, 5e-324, 1e-05], -0.0, 1e-05, "\U0001f600")
@example([-1.7976931348623157e308, 0, 1e16], 1e-40, 5e-324, "\x7f\x85\u2028")
@example([2**53 + 1, 10**22, 10**30], 1e38, 1e300, "1e-05")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_numbers_and_texts_survive_every_way_that_a_spec_travels(bounds, weight, tolerance, text):
    content = document(bounds, weight, tolerance, text)
    spec = FeatureSpec.model_validate(content)
    expected = bits(numbers(spec))

    for written in (json.dumps(content), json.dumps(content, ensure_ascii=False)):
        assert bits(numbers(parse_spec(written))) == expected
        assert bits(numbers(parse_spec(f"# What it was trained with.\n{written}"))) == expected
    for part, kept in PARTS:
        found = bits(numbers(parse_spec(part(spec))))
        assert {name: found[name] for name in kept} == {name: expected[name] for name in kept}

    ingested = IngestSettings.model_validate_json(IngestSettings.from_spec(spec).to_json())
    price = ingested.fields["price"]
    assert bits({"minimum": price.minimum, "maximum": price.maximum}) == {
        name: expected[name] for name in ("minimum", "maximum")
    }
    assert ingested.logs.missing_values == ["", text]
    assert ingested.fields["item"].column == text


@given(st.floats(5e-324, allow_infinity=False), st.integers(0, 2**31 - 1))
@example(1e-05, 1)
@example(1e16, 2**31 - 1)
def test_settings_of_the_trainer_survive_the_way_to_a_job(rate, seed):
    trainer = {"learning_rate": rate, "seed": seed}
    text = parse_settings({}, trainer).model_dump_json()
    job = TrainingJob(
        spec="", settings=Settings.model_validate_json(text), train_files=[], validation_files=[],
        transform_graph="", checkpoints="", model="", curves="",
    )  # fmt: skip
    read = TrainingJob.model_validate_json(job.model_dump_json(indent=1)).settings.trainer
    assert struct.pack("<d", read.learning_rate) == struct.pack("<d", rate)
    assert read.seed == seed


@given(st.floats(5e-324, allow_infinity=False))
@example(1e-05)
@settings(max_examples=20, deadline=None)
def test_a_number_of_set_is_the_number_that_was_typed(rate):
    for typed in (repr(rate), f"{rate:.17e}", f"{rate:.17E}"):
        spec = load_overridden_spec("census_income", [f"trainer.learning_rate={typed}"])
        assert struct.pack("<d", spec.trainer["learning_rate"]) == struct.pack("<d", rate)
        read = json.loads(checked_trainer_settings(spec))["trainer"]["learning_rate"]
        assert struct.pack("<d", read) == struct.pack("<d", rate)


@pytest.mark.parametrize("tolerance", ["1e-5", "0.00001", "1E-5", "1.0e-05"])
def test_a_small_tolerance_survives_another_override(tmp_path, tolerance):
    content = document([0.0, 1.0, 2.0], 1.0, 0.5, "a")
    text = yaml.safe_dump(content, sort_keys=False).replace(
        "    tolerance: 0.5", f"    tolerance: {tolerance}"
    )
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    spec = load_overridden_spec(str(file), ["trainer.epochs=1"])
    assert spec.tasks["value"].tolerance == 1e-5
