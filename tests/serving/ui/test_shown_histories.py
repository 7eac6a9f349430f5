"""The histories of a request as the page shows them."""

from __future__ import annotations

import pytest
import yaml

from feature_spec.loading import parse_spec
from serving.ui.shown_histories import given_fields, shown_counts, shown_sequences

HISTORIES = {
    "known_after_s": 600,
    "counts": {
        "video": {"by": ["video_id"], "tasks": ["click"], "windows_s": [86_400, 3_600]},
        "user": {"by": ["user_id"]},
    },
    "sequences": {
        "clicked": {"by": "user_id", "fields": ["video_id"], "feedback": ["like"]},
    },
}


@pytest.fixture(scope="module")
def spec(toy_spec_text):
    document = yaml.safe_load(toy_spec_text)
    document["keys"]["event_time"] = {"column": "time", "unit": "s"}
    document["tasks"]["like"]["sample_space"] = {"event": "clicked"}
    return parse_spec(yaml.safe_dump(document | {"histories": HISTORIES}))


def test_counts_are_told_by_window_with_their_evidence_where_labels_can_lack(spec):
    video = {"quality": 0.5, "video_1d_shown": 12.0, "video_1d_click": 3.0}
    assert shown_counts(spec, video) == {"video_1d": "12 shown, click 3"}
    user = {"user_shown": 9, "user_click": 4, "user_like_seen": 4, "user_like": 1}
    assert shown_counts(spec, user) == {"user": "9 shown, click 4, like 1 of 4"}


def test_a_count_without_a_key_is_told_as_missing(spec):
    assert shown_counts(spec, {"video_1d_shown": None}) == {"video_1d": "–"}


def test_a_sequence_has_a_row_for_each_exposure_in_which_an_empty_text_keeps_its_place(spec):
    user = {
        "clicked_video_id": ["v3", "", "v1"],
        "clicked_age": ["12", "17", "0"],
        "clicked_feedback": ["like", "none", "none"],
    }
    [clicked] = shown_sequences(spec, user)
    assert clicked == {
        "name": "clicked",
        "columns": ["video_id", "age", "feedback"],
        # 2^11 s = 34 min to 68 min, 2^16 s = 18 h to 36 h
        "rows": [["v3", "34–68 min", "like"], ["", "18–36 h", "none"], ["v1", "0 s", "none"]],
    }


def test_a_sequence_without_exposures_has_no_rows(spec):
    assert shown_sequences(spec, {"clicked_video_id": [], "clicked_age": None})[0]["rows"] == []


def test_a_user_without_the_fields_of_a_sequence_has_none(spec):
    assert shown_sequences(spec, {"user_id": "ann"}) == []


def test_fields_that_no_history_makes_stay(spec):
    fields = {"user_id": "ann", "user_shown": 3, "clicked_age": ["1"]}
    assert given_fields(spec, fields) == {"user_id": "ann"}
