"""What a spec may say of event logs."""

from __future__ import annotations

from pathlib import Path

import pytest

import feature_spec
from feature_spec.loading import SpecError, parse_spec

TEXT = (Path(feature_spec.__file__).parent / "specs" / "short_video_events.yaml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  request: request_id\n", "", "logs.actions: needs 'keys.request' to join actions to impressions"),
        ("clicked: {", "video_id: {", "logs.actions.folds.video_id: a key or the weight of an impression cannot come from actions"),
        ("clicked: {", "time_ms: {", "logs.actions.folds.time_ms: a key or the weight of an impression cannot come from actions"),
        ("users: {path: users.jsonl.gz, format: jsonl, key: user_id", "users: {path: users.jsonl.gz, format: jsonl, key: user_id, exposure_key: clicked", "logs.actions.folds.clicked: a key or the weight of an impression cannot come from actions"),
        ("fold: sum, value: watch_s", "fold: sum", "'value' belongs to the folds 'sum' and 'maximum', received fold 'sum' and value None"),
        ("window_s: 86_400", "window_s: 0", "logs.actions.window_s: Input should be greater than 0 (received 0)"),
        ("users: {path: users", "actions: {path: users", "a side table beside event logs cannot be named 'actions'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(
    before: str, after: str, message: str
) -> None:
    assert before in TEXT
    with pytest.raises(SpecError) as error:
        parse_spec(TEXT.replace(before, after, 1), source="my.yaml")
    assert message in str(error.value)
