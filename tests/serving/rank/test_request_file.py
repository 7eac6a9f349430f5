"""Request files: what they mean, and every way in which one can be malformed."""

from __future__ import annotations

import json

import pytest

from serving.rank.request_file import RequestFileError, read_request_file


@pytest.fixture
def read(tmp_path):
    """Reads a file of the given text, or of the JSON of anything else."""

    def write_and_read(content):
        path = tmp_path / "request.json"
        path.write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
        return read_request_file(path)

    return write_and_read


def test_a_request_is_read_with_its_parts(read, toy_spec):
    request = read(
        {
            "user": {"user_id": "u"},
            "context": {"hour": 7},
            "weights": {"like": 2.0},
            "candidates": [{"id": "x", "quality": 0.5}],
        }
    ).request(toy_spec)
    assert (request.user, request.context, request.weights) == (
        {"user_id": "u"},
        {"hour": 7},
        {"like": 2.0},
    )
    assert [(candidate.id, candidate.fields) for candidate in request.candidates] == [
        ("x", {"quality": 0.5})
    ]


def test_a_candidate_without_an_id_goes_by_its_item_key(read, toy_spec):
    """The spec's item key is the column `video`, which the field `video_id` reads."""
    request = read(
        {"candidates": [{"video_id": "v1"}, {"quality": 1.0}, {"video_id": None}]}
    ).request(toy_spec)
    assert [candidate.id for candidate in request.candidates] == ["v1", None, None]


def test_weights_given_beside_the_file_go_before_its_own(read, toy_spec):
    request = read({"candidates": [{}], "weights": {"like": 2.0, "click": 3.0}}).request(
        toy_spec, {"like": 5.0}
    )
    assert request.weights == {"like": 5.0, "click": 3.0}


def test_the_spec_is_a_ready_ones_name_or_a_path_beside_the_file(read, tmp_path):
    assert read({"candidates": [], "spec": "kuairand"}).spec == "kuairand"
    assert read({"candidates": [], "spec": "own.yaml"}).spec == str(tmp_path / "own.yaml")
    assert read({"candidates": []}).spec is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "line 1, column 1: not valid JSON"),
        ('{\n"candidates": [}', "line 2, column 16: not valid JSON"),
        ('{"user": {"a": 1, "a": 2}}', "given twice in one object: 'a'"),
        ('{"user": {"a": NaN}}', "NaN is not a valid number"),
        (
            [],
            "top level: an object with spec, user, context, candidates, weights is needed; received []",
        ),
        ({}, "candidates: a list of objects is needed; received none"),
        ({"candidates": {}}, "candidates: a list of objects is needed; received {}"),
        ({"candidates": [{}, 3]}, "candidates[1]: an object is needed; received 3"),
        (
            {"candidates": [{"id": 1.5}]},
            "candidates[0].id: a text or an integer is needed; received 1.5",
        ),
        ({"candidates": [], "users": {}}, "users: no such key: did you mean 'user'?"),
        ({"candidates": [], "user": []}, "user: an object is needed; received []"),
        ({"candidates": [], "weights": None}, "weights: an object is needed; received null"),
        (
            {"candidates": [], "spec": 7},
            "spec: a path or the name of a ready spec is needed; received 7",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_the_place_and_what_is_valid(read, content, problem):
    with pytest.raises(RequestFileError) as refusal:
        read(content)
    assert "request.json: " in str(refusal.value)
    assert problem in str(refusal.value)


def test_all_mistakes_of_a_files_outline_are_reported_at_once(read):
    with pytest.raises(RequestFileError) as refusal:
        read({"candidates": [1], "user": 2, "who": 3})
    assert [line.strip().split(":")[0] for line in str(refusal.value).splitlines()[1:]] == [
        "who",
        "user",
        "candidates[0]",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RequestFileError, match="none.json: cannot be read: No such file"):
        read_request_file(tmp_path / "none.json")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes('{"user": {"name": "é"}}'.encode("latin-1"))
    with pytest.raises(RequestFileError, match="latin.json: not UTF-8"):
        read_request_file(path)
