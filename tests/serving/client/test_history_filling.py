"""Histories of a request from a store that answers, and from stores that are down, slow or stale."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import struct
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
import yaml

from feature_spec.loading import parse_spec
from serving import tf_serving_api
from serving.client.history_filling import HistoryPolicy
from serving.client.ranking_client import AsyncRankingClient, RankingClient
from serving.client.types import Candidate, RankingRequest
from serving.histories.store import HistoryStoreError, HistoryValues

NEWEST_S = 1_700_000_000.0
PATIENT = HistoryPolicy(timeout_ms=600_000.0)
REQUEST = RankingRequest(
    user={"user_id": "u1"},
    candidates=[
        Candidate(fields={"video_id": "a"}),
        Candidate(fields={"video_id": "b", "video_shown": 70.0}),
    ],
    at_s=NEWEST_S + 60.0,
)


def spec_document(toy_spec_text):
    document = yaml.safe_load(toy_spec_text)
    document["keys"] = {"item": "video", "event_time": {"column": "time_s", "unit": "s"}}
    document["histories"] = {
        "known_after_s": 600,
        "counts": {"video": {"by": ["video_id"], "tasks": ["click"]}},
        "sequences": {
            "clicked": {"by": "user_id", "fields": ["video_id", "tags"], "max_length": 3}
        },
    }
    return document


@pytest.fixture(scope="module")
def spec(toy_spec_text):
    return parse_spec(yaml.safe_dump(spec_document(toy_spec_text)))


class Store:
    """A store that answers always the same, after it has done what a test wants."""

    def __init__(self, before=lambda: None):
        self.before, self.asked = before, []

    def features(self, user, context, candidates, at_us):
        self.asked.append((user, context, candidates, at_us))
        self.before()
        return HistoryValues(
            user={"clicked_video_id": ["x", "y"], "clicked_tags": ["", "news"], "clicked_age": ["3", "7"]},
            context={},
            items={"video_shown": np.float32([4, 5]), "video_click": np.float32([1, np.nan])},
            newest_us=round(NEWEST_S * 1e6),
        )  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """The address of a server that scores all alike, and the requests that it gets."""
    received = []

    def predict(request, context):
        received.append(request)
        answer = tf_serving_api.PredictResponse()
        count = len(request.inputs["video_id"].string_val)
        for name in ("click", "like", "ranking_score"):
            answer.outputs[name].dtype = tf_serving_api.DT_FLOAT
            answer.outputs[name].tensor_shape.dim.add(size=count)
            answer.outputs[name].float_val.extend([0.5] * count)
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        predict,
        tf_serving_api.PredictRequest.FromString,
        tf_serving_api.PredictResponse.SerializeToString,
    )
    running = grpc.server(futures.ThreadPoolExecutor(2))
    running.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.PredictionService", {"Predict": handler}
            )
        ]
    )
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield f"127.0.0.1:{port}", received
    running.stop(None).wait()


@pytest.fixture(params=["blocking", "asyncio"])
def rank(request, server, spec):
    """Ranks with a client of each kind; gives the inputs sent, the ranked list and the counts."""
    target, received = server

    def ranked(store, times=1, policy=PATIENT, asked=REQUEST):
        settings = {"timeout_ms": 600_000.0, "histories": store, "history_policy": policy}
        if request.param == "blocking":
            with RankingClient(target, spec, **settings) as client:
                lists = [client.rank(asked) for _ in range(times)]
                return received[-1].inputs, lists[-1], client.history_counts

        async def run():
            async with AsyncRankingClient(target, spec, **settings) as client:
                lists = [await client.rank(asked) for _ in range(times)]
                return received[-1].inputs, lists[-1], client.history_counts

        return asyncio.run(run())

    return ranked


def numbers(tensor):
    content = tensor.tensor_content
    return [None if math.isnan(x) else x for x in struct.unpack(f"<{len(content) // 4}f", content)]


def test_a_store_fills_in_the_fields_of_histories_and_values_of_the_request_win(rank):
    store = Store()
    inputs, ranked, counts = rank(store)
    assert numbers(inputs["video_shown"]) == [4.0, 70.0]
    assert numbers(inputs["video_click"]) == [1.0, None]
    assert list(inputs["clicked_video_id"].string_val) == [b"x", b"y"]
    assert (counts.filled, counts.all) == (1, 1)
    assert ranked.histories.candidate(1) == {"video_shown": 5.0, "video_click": None}
    user, context, candidates, at_us = store.asked[0]
    assert (user, context, at_us) == ({"user_id": "u1"}, {}, 1_700_000_060_000_000)
    assert candidates == [candidate.fields for candidate in REQUEST.candidates]


def test_a_missing_value_of_an_aligned_list_keeps_its_place(rank):
    inputs, _, _ = rank(Store())
    assert list(inputs["clicked_tags"].string_val) == [b"", b"news"]


def raising():
    raise HistoryStoreError("it is down")


def test_without_a_store_that_answers_a_request_is_ranked_without_histories(rank, caplog):
    with caplog.at_level(logging.WARNING):
        inputs, ranked, counts = rank(Store(raising), times=3)
    assert numbers(inputs["video_shown"]) == [None, 70.0]
    assert list(inputs["clicked_video_id"].string_val) == [b""]
    assert (len(ranked), ranked.histories) == (2, None)
    assert (counts.failed, counts.all) == (3, 3)
    told = [record for record in caplog.records if "it is down" in record.message]
    assert len(told) == 1


def test_a_slow_store_is_left_behind_and_hanging_ones_hold_up_no_later_request(rank):
    end = threading.Event()
    try:
        policy = HistoryPolicy(timeout_ms=1.0, threads=2)
        inputs, _, counts = rank(Store(lambda: end.wait(600)), times=4, policy=policy)
        assert numbers(inputs["video_click"]) == [None, None]
        assert (counts.late, counts.busy, counts.all) == (2, 2, 4)
    finally:
        end.set()


def test_a_store_that_is_too_far_behind_counts_as_stale(rank):
    for limit_s, filled, stale in ((60.0, 1, 0), (59.0, 0, 1)):
        policy = HistoryPolicy(timeout_ms=600_000.0, max_age_s=limit_s)
        inputs, _, counts = rank(Store(), policy=policy)
        assert (counts.filled, counts.stale) == (filled, stale)
        assert numbers(inputs["video_click"]) == ([1.0, None] if filled else [None, None])


def test_a_client_of_a_spec_without_histories_refuses_a_store(toy_spec):
    with pytest.raises(ValueError, match="spec toy has none to fill in"):
        RankingClient("127.0.0.1:1", toy_spec, histories=Store())


@pytest.mark.parametrize("setting", [{"timeout_ms": 0.0}, {"max_age_s": -1.0}, {"threads": 0}])
def test_a_setting_out_of_range_is_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        HistoryPolicy(**setting)


def test_fulcrum_rank_fills_in_histories_as_of_a_time(server, spec, toy_spec_text, tmp_path):
    from typer.testing import CliRunner

    from fulcrum.cli import app
    from serving.histories.history_event import HistoryEvent
    from serving.histories.lmdb_store import LmdbHistoryStore

    target, received = server
    store = LmdbHistoryStore(tmp_path / "store", spec)
    columns = {"video": "a", "user_id": "u1", "tags": ["news"], "clicked": 1, "liked": 0}
    store.record(HistoryEvent(columns={**columns, "time_s": 1_700_000_000}))
    store.close()
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec_document(toy_spec_text)))
    request = {"spec": "spec.yaml", "user": {"user_id": "u1"}, "candidates": [{"video_id": "a"}]}
    (tmp_path / "request.json").write_text(json.dumps(request))
    words = ["rank", "--request", tmp_path / "request.json", "--target", target]
    words += ["--timeout-ms", "600000", "--histories", tmp_path / "store", "--at"]
    # Known after 600 s, in steps of 8 s, and behind the event.
    for at, shown in (("2023-11-14T22:23:20", 0.0), ("2023-11-14T22:23:28", 1.0)):
        done = CliRunner().invoke(app, [*map(str, words), at])
        assert done.exit_code == 0, done.output
        assert numbers(received[-1].inputs["video_shown"]) == [shown]
