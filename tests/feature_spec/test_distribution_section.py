"""Thresholds of drift and skew."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest

from feature_spec.loading import SpecError, load_spec, parse_spec
from feature_spec.sections import DistributionThreshold, Drift


@pytest.mark.parametrize("received", [{}, {"l_infinity": 0.1, "jensen_shannon": 0.1}])
def test_a_threshold_has_one_measure(received: dict[str, float]) -> None:
    with pytest.raises(
        pydantic.ValidationError, match="needs one of 'l_infinity' and 'jensen_shannon'"
    ):
        DistributionThreshold.model_validate(received)


@pytest.mark.parametrize("limit", [0.0, 1.5])
def test_a_distance_lies_above_0_and_up_to_1(limit: float) -> None:
    with pytest.raises(pydantic.ValidationError):
        DistributionThreshold(l_infinity=limit)


def test_a_stop_without_thresholds_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="'stops_run' needs 'thresholds'"):
        Drift(stops_run=True)


@pytest.mark.parametrize("section", ["drift", "skew"])
@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"regio": {"l_infinity": 0.1}}, "thresholds.regio: no such field: did you mean 'region'"),
        (
            {"duration_s": {"l_infinity": 0.1}},
            "thresholds.duration_s: a numeric field has no 'l_infinity'",
        ),
    ],
)
def test_a_threshold_must_fit_a_field(
    section: str, thresholds: dict[str, Any], message: str
) -> None:
    document = load_spec("short_video").model_dump(mode="json", exclude_unset=True)
    with pytest.raises(SpecError, match=message):
        parse_spec(json.dumps(document | {section: {"thresholds": thresholds}}))
