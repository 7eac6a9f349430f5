"""Requests made up from a spec."""

from __future__ import annotations

import pytest

from feature_spec.loading import load_spec as load_ready_spec
from feature_spec.loading import ready_specs
from serving.client.request_tensors import request_tensors
from serving.loadtest.load_requests import random_requests


@pytest.fixture
def requests(load_spec):
    return list(random_requests(load_spec, 40, [5, 2], seed=3))


def test_users_take_turns_with_the_candidate_counts(requests):
    assert [len(request.candidates) for request in requests] == [5, 2] * 20


def test_numbers_keep_to_the_bounds_of_their_fields(requests):
    def values(name):
        found = [candidate.fields[name] for request in requests for candidate in request.candidates]
        return [value for value in found if value is not None]

    assert len(values("share")) > 100
    assert all(0.25 <= value <= 0.75 for value in values("share"))
    assert all(value >= 5.0 for value in values("duration_s"))
    assert all(value <= -1.0 for value in values("below"))


def test_texts_of_a_sequence_are_those_of_the_field_whose_rows_it_shares(requests):
    texts = [text for request in requests for text in request.user["recent_videos"] or []]
    assert texts
    assert all(text.startswith("video_id_") for text in texts)


def test_hashed_fields_have_as_many_texts_as_buckets_at_most(requests):
    hours = {request.context["hour"] for request in requests} - {None}
    assert 1 < len(hours) <= 24


def test_some_values_are_missing_as_in_logs(load_spec):
    request = next(random_requests(load_spec, 1, [2000], seed=0))
    missing = sum(candidate.fields["tags"] is None for candidate in request.candidates)
    # 3 % of 2000 are 60, with a deviation of √(2000 · 0.03 · 0.97) ≈ 8
    assert 30 < missing < 90


def test_the_seed_fixes_the_requests(load_spec):
    one, same, other = (list(random_requests(load_spec, 3, [4], seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", sorted(ready_specs()))
def test_requests_of_every_ready_spec_pass_the_checks_of_the_client(name):
    spec = load_ready_spec(name)
    for request in random_requests(spec, 3, [7], seed=0):
        assert set(spec.fields) < set(request_tensors(spec, request))
