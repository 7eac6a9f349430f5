"""A ranking request as tensors, and every mistake it may have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from serving.client.request_tensors import request_tensors
from serving.client.tensor_values import floats, shape_of
from serving.client.types import Candidate, RankingRequest
from serving.errors import InvalidRequestError


def request(*candidates, **parts):
    return RankingRequest(
        candidates=[Candidate(fields=fields) for fields in candidates or ({},)], **parts
    )


def problems(spec, received):
    with pytest.raises(InvalidRequestError) as refusal:
        request_tensors(spec, received)
    return refusal.value.problems


def test_user_and_context_fields_are_sent_once_and_item_fields_once_a_candidate(toy_spec):
    tensors = request_tensors(
        toy_spec,
        request(
            {"video_id": "v1", "quality": 0.5},
            {"video_id": "v2", "quality": 0.25},
            user={"user_id": "u"},
            context={"hour": 7},
        ),
    )
    assert (shape_of(tensors["user_id"]), list(tensors["user_id"].string_val)) == ([1], [b"u"])
    assert (shape_of(tensors["hour"]), list(tensors["hour"].string_val)) == ([1], [b"7"])
    assert (shape_of(tensors["video_id"]), list(tensors["video_id"].string_val)) == (
        [2],
        [b"v1", b"v2"],
    )
    assert (shape_of(tensors["quality"]), floats(tensors["quality"])) == ([2], [0.5, 0.25])


def test_numbers_travel_as_packed_bytes(toy_spec):
    tensor = request_tensors(toy_spec, request({"quality": 1.0}))["quality"]
    assert (tensor.tensor_content, len(tensor.float_val)) == (b"\x00\x00\x80\x3f", 0)


def test_every_field_is_sent_with_missing_ones_as_empty_text_and_nan(toy_spec):
    tensors = request_tensors(toy_spec, request({"video_id": None}))
    assert set(toy_spec.fields) < set(tensors)
    assert list(tensors["user_id"].string_val) == list(tensors["video_id"].string_val) == [b""]
    assert math.isnan(floats(tensors["activity"])[0])
    assert math.isnan(floats(tensors["quality"])[0])
    assert (shape_of(tensors["recent_videos"]), list(tensors["recent_videos"].string_val)) == (
        [1, 1],
        [b""],
    )


def test_a_text_that_stands_for_a_missing_value_in_the_logs_does_so_in_a_request(toy_spec):
    tensors = request_tensors(
        toy_spec,
        request({"quality": "unknown", "tags": ["unknown", "a"]}, user={"user_id": "unknown"}),
    )
    assert list(tensors["user_id"].string_val) == [b""]
    assert list(tensors["tags"].string_val) == [b"a"]
    assert math.isnan(floats(tensors["quality"])[0])


def test_lists_are_padded_to_the_longest_and_cut_at_the_fields_length(toy_spec):
    tensors = request_tensors(
        toy_spec, request({"tags": ["a"]}, {"tags": ["b", "c", "d"]}, {"tags": None})
    )
    # max_length of tags is 2
    assert (shape_of(tensors["tags"]), list(tensors["tags"].string_val)) == (
        [3, 2],
        [b"a", b"", b"b", b"c", b"", b""],
    )


def test_missing_elements_of_a_list_are_left_out(toy_spec):
    tensors = request_tensors(toy_spec, request(user={"recent_videos": ["a", None, "", 7]}))
    assert list(tensors["recent_videos"].string_val) == [b"a", b"7"]


HISTORIES = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
keys: {event_time: {column: t, unit: s}}
histories:
  known_after_s: 60
  sequences: {clicked: {by: user, fields: [item, author], max_length: 3}}
fields:
  user: {side: user, kind: categorical}
  item: {side: item, kind: categorical}
  author: {side: item, kind: categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


def test_missing_elements_of_the_lists_of_a_history_keep_their_places():
    spec = parse_spec(HISTORIES)
    lists = {
        "clicked_item": ["i", None, "j", "k"],
        "clicked_author": ["a", "b", "", "c"],
        "clicked_age": ["1", "2", "3", "4"],
    }
    inputs = request_tensors(spec, request({"item": "x"}, user=lists))
    # Cut at three, as ingestion does.
    assert list(inputs["clicked_item"].string_val) == [b"i", b"", b"j"]
    assert list(inputs["clicked_author"].string_val) == [b"a", b"b", b""]
    assert list(inputs["clicked_age"].string_val) == [b"1", b"2", b"3"]


def test_lists_of_a_history_that_differ_in_length_are_refused():
    spec = parse_spec(HISTORIES)
    lists = {"clicked_item": ["i", "j"], "clicked_author": ["a"]}
    assert problems(spec, request({"item": "x"}, user=lists)) == [
        "user: the lists of history 'clicked' need a value, which may be missing, for each of the "
        "same exposures; received: clicked_item has 2, clicked_author has 1"
    ]


def test_a_list_of_a_history_may_be_missing_as_a_whole():
    inputs = request_tensors(
        parse_spec(HISTORIES), request({"item": "x"}, user={"clicked_item": ["i", "j"]})
    )
    assert list(inputs["clicked_item"].string_val) == [b"i", b"j"]
    assert list(inputs["clicked_age"].string_val) == [b""]


def test_a_list_may_come_as_the_text_that_logs_without_lists_have(toy_spec):
    tensors = request_tensors(toy_spec, request({"tags": "news, music"}, {"tags": 7}))
    assert list(tensors["tags"].string_val) == [b"news", b"music", b"7", b""]


@pytest.mark.parametrize("value", [-1, -1.0, "-1", np.int64(-1), np.float32(-1)])
def test_a_number_that_stands_for_a_missing_value_in_the_logs_does_so_in_a_request(toy_spec, value):
    spec = toy_spec.model_copy(
        update={"logs": toy_spec.logs.model_copy(update={"missing_values": ["-1"]})}
    )
    tensors = request_tensors(
        spec, request({"quality": value}, user={"user_id": value, "recent_videos": [value, 7]})
    )
    assert list(tensors["user_id"].string_val) == [b""]
    assert list(tensors["recent_videos"].string_val) == [b"7"]
    assert math.isnan(floats(tensors["quality"])[0])


@pytest.mark.parametrize("text", ["-1.0", "-1", " -1 "])
def test_a_text_that_spells_a_missing_number_is_missing_where_a_number_is_needed(toy_spec, text):
    spec = toy_spec.model_copy(
        update={"logs": toy_spec.logs.model_copy(update={"missing_values": ["-1"]})}
    )
    tensors = request_tensors(spec, request({"quality": text}))
    assert math.isnan(floats(tensors["quality"])[0])


def test_the_fingerprint_of_the_spec_goes_along(toy_spec):
    tensor = request_tensors(toy_spec, request())["spec_fingerprint"]
    assert (shape_of(tensor), list(tensor.string_val)) == ([], [toy_spec.fingerprint.encode()])


def test_only_weights_of_the_request_are_sent(toy_spec):
    tensors = request_tensors(toy_spec, request(weights={"like": 2, "duration": 0.0}))
    assert floats(tensors["weight_of_like"]) == [2.0]
    assert floats(tensors["weight_of_duration"]) == [0.0]
    assert shape_of(tensors["weight_of_like"]) == []
    assert "weight_of_click" not in tensors


@pytest.mark.parametrize(
    "weight", [np.float32(2.0), np.float64(2.0), np.int64(2), np.float16(2.0), np.array(2.0)]
)
def test_a_weight_may_be_a_scalar_of_numpy(toy_spec, weight):
    assert floats(
        request_tensors(toy_spec, request(weights={"like": weight}))["weight_of_like"]
    ) == [2.0]


@pytest.mark.parametrize(
    "weight", [np.float32("nan"), np.float64("inf"), np.float64(1e39), np.bool_(True), np.array([2.0]), np.str_("2")]
)  # fmt: skip
def test_a_weight_that_is_no_finite_number_is_refused_in_numpys_types_too(toy_spec, weight):
    with pytest.raises(InvalidRequestError, match=r"weights\.like: a finite number is needed"):
        request_tensors(toy_spec, request(weights={"like": weight}))


def test_a_list_may_be_an_array(toy_spec):
    tensors = request_tensors(
        toy_spec, request({"tags": np.array(["a", "b"])}, {"tags": np.array([7])})
    )
    assert list(tensors["tags"].string_val) == [b"a", b"b", b"7", b""]


def test_text_outside_ascii_is_sent_as_utf_8(toy_spec):
    assert list(
        request_tensors(toy_spec, request(user={"user_id": "Jürgen 猫"}))["user_id"].string_val
    ) == ["Jürgen 猫".encode()]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"user": {"user_ids": "u"}}, "user.user_ids: no such user field: did you mean 'user_id'?"),
        ({"user": {"quality": 1.0}}, "user.quality: is a field of the item, not of the user"),
        (
            {"context": {"hour": 1.5}},
            "context.hour: a category is a text, an integer or a truth value; received 1.5",
        ),
        ({"user": {"activity": "much"}}, "user.activity: a number is needed; received 'much'"),
        (
            {"user": {"activity": math.nan}},
            "user.activity: a finite number is needed; received nan",
        ),
        (
            {"user": {"activity": -1}},
            "user.activity: a number from 0 to 3.40282e+38 is needed; received -1",
        ),
        (
            {"user": {"activity": 1e39}},
            "user.activity: a number from 0 to 3.40282e+38 is needed; received 1e+39",
        ),
        (
            {"user": {"recent_videos": {}}},
            "user.recent_videos: a category is a text, an integer or a truth value; received {}",
        ),
        (
            {"user": {"user_id": "\ud800"}},
            "user.user_id: valid Unicode text is needed; received '\\ud800'",
        ),
        (
            {"weights": {"durations": 1.0}},
            "weights.durations: the ranking formula has no such factor: did you mean 'duration'?",
        ),
        ({"weights": {"click": "1"}}, "weights.click: a finite number is needed; received '1'"),
        (
            {"weights": {"click": math.inf}},
            "weights.click: a finite number is needed; received inf",
        ),
        ({"weights": {"click": True}}, "weights.click: a finite number is needed; received True"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_valid(toy_spec, parts, problem):
    assert problems(toy_spec, request(**parts)) == [problem]


def test_a_mistake_in_a_candidate_names_its_position(toy_spec):
    assert problems(toy_spec, request({}, {"duration_s": 1001})) == [
        "candidates[1].duration_s: a number from 0 to 1000 is needed; received 1001"
    ]


def test_an_empty_candidate_list_is_refused(toy_spec):
    assert problems(toy_spec, RankingRequest(candidates=[])) == [
        "candidates: at least one is needed; received none"
    ]


def test_all_mistakes_are_reported_at_once(toy_spec):
    found = problems(
        toy_spec, request({"quality": "x"}, {"what": 1}, user={"user_id": 1.5}, weights={"no": 1.0})
    )
    assert [problem.split(":")[0] for problem in found] == [
        "user.user_id", "candidates[1].what", "candidates[0].quality", "weights.no",
    ]  # fmt: skip


def test_a_flood_of_mistakes_is_cut_in_the_message_but_kept_whole(toy_spec):
    with pytest.raises(InvalidRequestError, match="has 30 mistakes") as refusal:
        request_tensors(toy_spec, request(*[{"quality": "x"}] * 30))
    assert len(refusal.value.problems) == 30
    assert str(refusal.value).endswith("… and 10 more")
