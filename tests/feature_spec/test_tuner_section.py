"""The search space of a spec: a list or a range a setting, and an objective that all of it has an effect on."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest

from feature_spec.loading import SpecError, load_spec, parse_spec
from feature_spec.sections import SearchDimension, Tuner

SEARCH = {"trainer.epochs": {"values": [1, 2]}}


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ({}, "needs 'values', or 'minimum' and 'maximum'"),
        ({"minimum": 1}, "needs 'values', or 'minimum' and 'maximum'"),
        ({"values": []}, "at least 1 item"),
        ({"values": [1], "minimum": 0, "maximum": 2}, "both 'values' and a range"),
        ({"values": [1], "scale": "log"}, "both 'values' and a range"),
        ({"minimum": 2, "maximum": 2}, "'minimum' 2 is not below 'maximum' 2"),
        ({"minimum": 0.0, "maximum": 1.0, "scale": "log"}, "must begin above 0"),
    ],
)
def test_a_dimension_is_refused(received: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        SearchDimension.model_validate(received)


def test_a_range_of_whole_numbers_stays_one() -> None:
    assert [type(end) for end in SearchDimension(minimum=1, maximum=3).extremes] == [int, int]
    assert [type(end) for end in SearchDimension(minimum=1.0, maximum=3.0).extremes] == [
        float,
        float,
    ]


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ({"search": {}}, "at least 1 item"),
        ({"search": SEARCH, "objective": "weighted_sum"}, "needs 'weights' above 0"),
        (
            {"search": SEARCH, "objective": "weighted_sum", "weights": {"vtr": 0.0}},
            "needs 'weights' above 0",
        ),
        (
            {"search": SEARCH, "weights": {"vtr": 1.0}},
            "'weights' only works with objective 'weighted_sum'",
        ),
    ],
)
def test_a_tuner_is_refused(received: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Tuner.model_validate(received)


def test_weights_are_of_tasks() -> None:
    spec = load_spec("short_video").model_dump(mode="json", exclude_unset=True)
    tuner = {"search": SEARCH, "objective": "weighted_sum", "weights": {"vtrr": 1.0}}
    with pytest.raises(SpecError, match=r"tuner.weights.vtrr: no such task: did you mean 'vtr'"):
        parse_spec(json.dumps(spec | {"tuner": tuner}))


def test_a_search_changes_no_fingerprint() -> None:
    spec = load_spec("short_video")
    assert (
        spec.model_copy(update={"tuner": Tuner.model_validate({"search": SEARCH})}).fingerprint
        == spec.fingerprint
    )
