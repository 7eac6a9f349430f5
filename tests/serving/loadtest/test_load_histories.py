"""Made-up histories agree with themselves."""

from __future__ import annotations

import pytest
import yaml

from feature_spec.histories.history_fields import count_columns, sequence_columns
from feature_spec.loading import parse_spec
from serving.loadtest.load_requests import random_requests

HISTORIES = {
    "known_after_s": 600,
    "counts": {
        "user": {"by": ["user_id"]},
        "both": {"by": ["user_id", "video_id"], "windows_s": [86_400, 3_600]},
    },
    "sequences": {
        "clicked": {"by": "user_id", "fields": ["video_id", "tags"], "feedback": ["click"]},
    },
}


@pytest.fixture(scope="module")
def spec(load_spec_text):
    document = yaml.safe_load(load_spec_text)
    document["keys"] = {"event_time": {"column": "time", "unit": "s"}}
    document["tasks"]["click"]["sample_space"] = {"event": "played"}
    return parse_spec(yaml.safe_dump(document | {"histories": HISTORIES}))


@pytest.fixture(scope="module")
def requests(spec):
    return list(random_requests(spec, 100, [3], seed=1))


def test_sums_are_within_exposures_with_a_label_and_these_within_all(spec, requests):
    rows = [request.user for request in requests]
    rows += [candidate.fields for request in requests for candidate in request.candidates]
    counted = 0
    for name, count in spec.histories.counts.items():
        for columns in count_columns(name, count, spec.tasks):
            for row in rows:
                if row.get(columns.shown) is not None:
                    counted += 1
                    seen, total = row[columns.seen["click"]], row[columns.sums["click"]]
                    assert 0 <= total <= seen <= row[columns.shown]
    assert counted > 600  # of 100 users and 2 windows of 300 candidates


def test_some_keys_are_missing_with_all_their_numbers(requests):
    rows = [candidate.fields for request in requests for candidate in request.candidates]
    missing = [row for row in rows if row["both_1d_shown"] is None]
    assert missing
    assert all(row["both_1d_click"] is None and row["both_1h_shown"] is None for row in missing)


def test_the_lists_of_a_sequence_are_aligned_and_ages_do_not_fall(spec, requests):
    columns = sequence_columns("clicked", spec.histories.sequences["clicked"])
    for request in requests:
        assert len({len(request.user[column]) for column in columns.values()}) == 1
        ages = list(map(int, request.user["clicked_age"]))
        assert ages == sorted(ages)
    texts = {text for request in requests for text in request.user["clicked_video_id"]}
    assert all(text.startswith("video_id_") for text in texts)
    assert {text for request in requests for text in request.user["clicked_feedback"]} == {
        "none",
        "click",
    }
