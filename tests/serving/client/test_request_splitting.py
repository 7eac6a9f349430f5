"""Requests with more candidates than a message may carry: cut, sent side by side, answered by one version, merged."""

from __future__ import annotations

import math
import threading

import grpc
import pytest

from feature_spec.loading import parse_spec
from serving.client.ranking_client import RankingClient
from serving.client.request_splitting import part_sizes
from serving.client.tensor_values import floats, shape_of
from serving.client.types import Candidate, RankingRequest
from serving.errors import InvalidRequestError, MixedVersionsError, ServerError, UnusableModelError


def qualities(*values, **parts):
    return RankingRequest(
        candidates=[Candidate(fields={"quality": value}) for value in values], **parts
    )


FIVE = qualities(0.25, 0.5, 0.75, 0.5, 1.0)


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [
        (5000, 2000, [1667, 1667, 1666]),
        (4000, 2000, [2000, 2000]),
        (4001, 2000, [1334, 1334, 1333]),
        (2000, 2000, [2000]),
        (3, 1, [1, 1, 1]),
        (5000, None, [5000]),
    ],
)
def test_parts_are_as_few_and_as_even_as_can_be(count, limit, sizes):
    assert part_sizes(count, limit) == sizes


def test_parts_are_sent_side_by_side_and_merged_with_ties_in_the_requests_order(
    scripted, answer_by_quality, rank_once, toy_spec
):
    all_there = threading.Barrier(3)

    def script(number, request, context):
        all_there.wait(600.0)  # none is answered before all have come
        return answer_by_quality(request)

    ranker = scripted(script)
    ranked = rank_once(ranker.target, toy_spec, FIVE, max_candidates=2, timeout_ms=600_000.0)
    assert [(one.rank, one.position, one.scores["click"]) for one in ranked] == [
        (1, 4, 1.0), (2, 2, 0.75), (3, 1, 0.5), (4, 3, 0.5), (5, 0, 0.25),
    ]  # fmt: skip
    assert sorted(floats(request.inputs["quality"]) for request in ranker.requests) == [
        [0.25, 0.5],
        [0.75, 0.5],
        [1.0],
    ]


def test_parts_hold_vectors_and_no_field_that_only_training_has(
    scripted, answer_by_quality, rank_once, toy_spec_text
):
    spec = parse_spec(
        toy_spec_text.replace(
            "  quality: {side: item, kind: numeric}",
            "  quality: {side: item, kind: numeric}\n"
            "  look: {side: item, kind: vector, dimension: 2}\n"
            "  place: {side: item, kind: categorical, training_only: {}}",
        )
    )
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    looks = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    request = RankingRequest(
        candidates=[Candidate(fields={"quality": look[0], "look": look}) for look in looks]
    )
    ranked = rank_once(ranker.target, spec, request, max_candidates=2, timeout_ms=600_000.0)
    assert [one.position for one in ranked] == [2, 1, 0]
    parts = [(shape_of(one.inputs["look"]), floats(one.inputs["look"])) for one in ranker.requests]
    assert sorted(parts) == [([1, 2], [5.0, 6.0]), ([2, 2], [1.0, 2.0, 3.0, 4.0])]
    assert not any("place" in one.inputs for one in ranker.requests)


def test_5000_candidates_at_2000_are_3_messages_and_one_list(
    scripted, answer_by_quality, rank_once, toy_spec
):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    # 4999 is odd, so 1234 · position modulo 4999 meets 0 to 4998 once each, and 0 again at position
    # 4999
    request = qualities(*(1234 * position % 4999 / 8192 for position in range(5000)))
    whole = rank_once(ranker.target, toy_spec, request, timeout_ms=600_000.0)
    merged = rank_once(ranker.target, toy_spec, request, max_candidates=2000, timeout_ms=600_000.0)
    assert merged == whole
    assert [one.rank for one in merged] == list(range(1, 5001))
    assert [one.position for one in merged][-2:] == [0, 4999]
    assert len(ranker.requests) == 1 + 3


def test_each_part_carries_user_context_weights_and_its_rows_of_lists(
    scripted, answer_by_quality, toy_spec
):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    candidates = [
        Candidate(fields={"video_id": name, "tags": tags})
        for name, tags in (("a", ["x", "y"]), ("b", ["z"]), ("c", []))
    ]
    request = RankingRequest(
        candidates=candidates, user={"user_id": "fan"}, context={"hour": 7}, weights={"like": 2.0}
    )
    with (
        RankingClient(ranker.target, toy_spec, max_candidates=2, timeout_ms=600_000.0) as client,
        pytest.raises(UnusableModelError),
    ):
        client.rank(request)  # whose candidates have no quality, so the answers are NaN
    first, second = sorted(ranker.requests, key=lambda part: -shape_of(part.inputs["tags"])[0])
    assert (shape_of(first.inputs["tags"]), list(first.inputs["tags"].string_val)) == (
        [2, 2],
        [b"x", b"y", b"z", b""],
    )
    assert (shape_of(second.inputs["tags"]), list(second.inputs["tags"].string_val)) == (
        [1, 2],
        [b"", b""],
    )
    assert list(second.inputs["video_id"].string_val) == [b"c"]
    for name in ("user_id", "hour", "weight_of_like", "spec_fingerprint", "recent_videos"):
        assert first.inputs[name] == second.inputs[name]


def test_mistakes_and_bad_answers_name_the_place_in_the_whole_request(
    scripted, answer_by_quality, toy_spec
):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    with RankingClient(ranker.target, toy_spec, max_candidates=2, timeout_ms=600_000.0) as client:
        with pytest.raises(InvalidRequestError, match=r"candidates\[3\].quality"):
            client.rank(qualities(0.5, 0.5, 0.5, "much"))
        assert not ranker.requests
        with pytest.raises(UnusableModelError, match=r"'click' = nan for candidates\[3\]"):
            client.rank(qualities(0.5, 0.5, 0.5, None))


def test_one_part_that_fails_fails_the_request_and_cancels_the_others(
    scripted, rank_once, toy_spec
):
    all_there = threading.Barrier(3)

    def script(number, request, context):
        all_there.wait(600.0)
        if number == 1:
            context.abort(grpc.StatusCode.INTERNAL, "broken")
        assert ranker.ended[number].wait(600.0)

    ranker = scripted(script)
    with pytest.raises(ServerError, match="INTERNAL: broken"):
        rank_once(ranker.target, toy_spec, FIVE, max_candidates=2, timeout_ms=600_000.0)
    assert all(over.wait(600.0) for over in ranker.ended)
    assert len(ranker.requests) == 3


def test_a_part_is_retried_by_itself(scripted, answer_by_quality, rank_once, toy_spec):
    def script(number, request, context):
        if number == 0:
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return answer_by_quality(request)

    ranker = scripted(script)
    assert (
        len(rank_once(ranker.target, toy_spec, FIVE, max_candidates=2, timeout_ms=600_000.0)) == 5
    )
    assert len(ranker.requests) == 4


def pinned(request):
    return request.model_spec.version.value or None


def test_parts_that_a_swap_mixed_are_asked_again_of_the_newer_version(
    scripted, answer_by_quality, rank_once, toy_spec
):
    """Versions 3 and 4 answer; only the parts of version 3 are sent again, pinned to 4."""

    def script(number, request, context):
        if pinned(request):
            return answer_by_quality(request, pinned(request))
        return answer_by_quality(request, 4 if floats(request.inputs["quality"]) == [1.0] else 3)

    ranker = scripted(script)
    ranked = rank_once(ranker.target, toy_spec, FIVE, max_candidates=2)
    assert ranked.model_version == 4
    # quality + 100 · version, all of version 4
    assert [one.ranking_score for one in ranked] == [401.0, 400.75, 400.5, 400.5, 400.25]
    assert [pinned(request) for request in ranker.requests] == [None] * 3 + [4] * 2


def test_a_version_that_is_rolled_back_meanwhile_gives_way_to_the_older(
    scripted, answer_by_quality, rank_once, toy_spec
):
    def script(number, request, context):
        if pinned(request) == 4:
            context.abort(
                grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(toy, 4)"
            )
        return answer_by_quality(request, pinned(request) or 3 + (number == 0))

    ranker = scripted(script)
    ranked = rank_once(ranker.target, toy_spec, FIVE, max_candidates=2)
    assert {one.ranking_score - one.scores["click"] for one in ranked} == {300.0}
    assert ranked.model_version == 3


def test_a_pin_takes_the_place_of_a_label(scripted, answer_by_quality, toy_spec):
    def script(number, request, context):
        if pinned(request):
            return answer_by_quality(request, pinned(request))
        assert request.model_spec.version_label == "canary"
        return answer_by_quality(request, 4 if floats(request.inputs["quality"]) == [1.0] else 3)

    ranker = scripted(script)
    with RankingClient(
        ranker.target, toy_spec, max_candidates=2, label="canary", timeout_ms=600_000.0
    ) as client:
        assert client.rank(FIVE).model_version == 4


def test_versions_that_all_go_are_left_for_the_next_round(
    scripted, answer_by_quality, rank_once, toy_spec
):
    def script(number, request, context):
        if pinned(request):
            context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        return answer_by_quality(request, 1 + number if number < 3 else 9)

    ranker = scripted(script)
    assert rank_once(ranker.target, toy_spec, FIVE, max_candidates=2).model_version == 9


def test_versions_that_never_agree_are_an_error_that_names_them(
    scripted, answer_by_quality, rank_once, toy_spec
):
    def script(number, request, context):
        if pinned(request):
            context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        return answer_by_quality(request, 5 + (floats(request.inputs["quality"]) == [1.0]))

    ranker = scripted(script)
    with pytest.raises(
        MixedVersionsError, match="model toy: the 3 parts .* by the versions 5, 6, none"
    ) as failure:
        rank_once(ranker.target, toy_spec, FIVE, max_candidates=2)
    assert failure.value.versions == [5, 6]
    assert sum(pinned(request) is None for request in ranker.requests) == 9


@pytest.mark.tensorflow
def test_a_served_model_ranks_parts_as_it_ranks_the_whole(serve, push, toy_spec, rank_once):
    push(1)
    target = serve().target
    request = RankingRequest(
        candidates=[
            Candidate(
                fields={
                    "quality": (1 + 7 * i % 25) / 32,
                    "tags": ["music", "pop"][: i % 3],
                    "duration_s": i * math.pi,
                }
            )
            for i in range(50)
        ],
        user={"user_id": "fan", "recent_videos": ["a", "b"]},
    )
    whole = rank_once(target, toy_spec, request, timeout_ms=600_000.0)
    merged = rank_once(target, toy_spec, request, max_candidates=8, timeout_ms=600_000.0)
    assert [one.position for one in merged] == [one.position for one in whole]
    # vector instructions take several numbers at a time and the rest one by one, which may differ
    # in the last digit
    assert [one.ranking_score for one in merged] == pytest.approx(
        [one.ranking_score for one in whole], rel=1e-6
    )


@pytest.mark.parametrize("settings", [{"max_candidates": 0}, {"channels": 0}])
def test_a_limit_of_none_is_refused(toy_spec, settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be at least 1; received 0"):
        RankingClient("127.0.0.1:1", toy_spec, **settings)
