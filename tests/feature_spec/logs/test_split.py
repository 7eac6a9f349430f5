"""The ways to split a log, of which a spec names one."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from feature_spec.loading import SpecError, parse_spec
from feature_spec.logs.logs import Split


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "received none"),
        (
            {"evaluation_days": 1, "evaluation_share": 0.1},
            "received evaluation_days and evaluation_s",
        ),
        ({"evaluation_days": 1, "by": "user"}, "'by' only works with 'evaluation_share'"),
        ({"evaluation_share": 1.0}, "less than 1"),
    ],
)
def test_a_split_that_is_none_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(given)


def test_a_split_by_users_needs_their_column(spec_text: str) -> None:
    text = spec_text.replace("evaluation_days: 1", "evaluation_share: 0.2, by: user")
    assert parse_spec(text).split.by == "user"
    with pytest.raises(SpecError, match=r"needs 'keys\.user' to tell the users apart"):
        parse_spec(text.replace("{user: user_id, ", "{"))
