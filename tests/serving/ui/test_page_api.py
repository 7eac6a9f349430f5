"""What the page's script gets over HTTP, from a real server of the toy model."""

from __future__ import annotations

import gzip
import json
import math
import urllib.error
import urllib.request

import pytest

from serving.client.ranking_client import RankingClient
from serving.errors import ServerUnavailableError
from serving.rank.request_file import read_request_file

pytestmark = pytest.mark.tensorflow


def call(url, body=None, **headers):
    """Status, headers and content of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.fixture
def server(push, serve):
    push(1)
    return serve()


@pytest.fixture
def page(server, show, request_files):
    return show(server, request_files)


@pytest.fixture
def rank(page):
    """Status and content of a ranking of the fan's request by the newest version, or as said."""

    def ask(**parts):
        status, _, content = call(
            page.url + "api/rank", {"model": "toy", "request": 0, "versions": [None]} | parts
        )
        return status, json.loads(content)

    return ask


def models(page):
    return json.loads(call(page.url + "api/models")[2])["models"]


def order(ranked):
    return [candidate["id"] for candidate in ranked["candidates"]]


def test_a_model_is_described_by_its_tasks_weights_and_logged_requests(page):
    [model] = models(page)
    assert (model["name"], model["versions"]) == ("toy", [1])
    assert model["tasks"] == {"click": "probability of clicked", "like": "probability of liked"}
    assert model["weights"] == {"click": 1.0, "like": 0.5, "duration": 2.0}
    assert model["duration"] == {"field": "duration_s", "transform": "log1p", "scale": 10.0}
    assert model["source"] == "fan.json, stranger.json"
    fan, stranger = model["requests"]
    assert (fan["label"], fan["user"]["recent_videos"], fan["context"]) == (
        "fan",
        ["a", "z"],
        {"hour": 20},
    )
    assert (stranger["label"], stranger["candidates"], stranger["shown"]) == ("stranger", 2, 2)


def test_a_ranking_is_what_a_client_of_the_server_gets(rank, server, toy_spec, request_files):
    _, answer = rank(weights={"like": 0.25})
    with RankingClient(server.target, toy_spec, timeout_ms=600_000.0) as client:
        expected = client.rank(
            read_request_file(request_files[0]).request(toy_spec, {"like": 0.25})
        )
    [ranked] = answer["lists"]
    assert [
        (one["rank"], one["position"], one["id"], one["scores"], one["ranking_score"])
        for one in ranked["candidates"]
    ] == [
        (one.rank, one.position, one.candidate.id, one.scores, one.ranking_score)
        for one in expected
    ]
    for one in ranked["candidates"]:
        assert math.prod(one["factors"].values()) == pytest.approx(one["ranking_score"], rel=1e-5)


def test_a_weight_moves_candidates_from_where_the_models_own_weights_put_them(rank):
    [own] = rank()[1]["lists"]
    assert (order(own), own["weights"]) == (
        ["b", "a", "c"],
        {"click": 1.0, "like": 0.5, "duration": 2.0},
    )
    assert [one["own_rank"] for one in own["candidates"]] == [1, 2, 3]
    [moved] = rank(weights={"click": 3})[1]["lists"]
    # a 0.729 · 0.5 = 0.3645, b 0.125, c 0.216 · 0.5 = 0.108
    assert (order(moved), moved["weights"]["click"]) == (["a", "b", "c"], 3.0)
    assert [(one["rank"], one["own_rank"]) for one in moved["candidates"]] == [
        (1, 2),
        (2, 1),
        (3, 3),
    ]
    assert [one["ranking_score"] for one in moved["candidates"]] == pytest.approx(
        [0.3645, 0.125, 0.108], rel=1e-5
    )


def test_items_have_the_texts_of_the_side_tables_that_came_with_the_version(
    push, serve, show, request_files
):
    def with_titles(folder):
        (folder / "assets.extra" / "tables").mkdir()
        with gzip.open(folder / "assets.extra" / "tables" / "videos.jsonl.gz", "wt") as file:
            file.write('{"key_field": "video_id"}\n')
            file.write('{"key": "a", "fields": {}, "display": "Alien"}\n')

    push(1, break_it=with_titles)
    page = show(serve(), request_files)
    body = {"model": "toy", "request": 0, "versions": [None]}
    [ranked] = json.loads(call(page.url + "api/rank", body)[2])["lists"]
    shown = {one["fields"].get("video_id"): one["display"] for one in ranked["candidates"]}
    assert shown["a"] == "Alien"
    assert set(shown.values()) == {"Alien", None}


def test_two_versions_rank_side_by_side_each_with_its_own_weights(
    push, push_with_like_weight, serve, show, request_files
):
    from serving.model_server.versions.version import VersionPolicy

    push(1)
    push_with_like_weight(2, -1.0)
    page = show(serve(policy=VersionPolicy.ALL), request_files)
    body = {"model": "toy", "request": 0, "versions": [None, 1]}
    newest, older = json.loads(call(page.url + "api/rank", body)[2])["lists"]
    # like^-1: a 0.9 · 4 = 3.6, b 0.5, c 0.6 · 4 = 2.4
    assert (newest["version"], order(newest)) == (2, ["a", "c", "b"])
    assert (older["version"], order(older)) == (1, ["b", "a", "c"])
    assert [one["own_rank"] for one in newest["candidates"]] == [1, 2, 3]


def test_a_version_that_is_gone_is_an_error_of_its_list_alone(rank):
    status, answer = rank(versions=[1, 9])
    assert (status, answer["lists"][0]["version"], answer["versions"]) == (200, 1, [1])
    assert answer["lists"][1] == {
        "version": 9,
        "error": "version 9 is not in service; in service: 1",
    }


def test_what_the_client_refuses_is_told_in_its_words(rank):
    [refused] = rank(weights={"zz": 1.0})[1]["lists"]
    assert (
        "weights.zz: the ranking formula has no such factor: valid: click, duration, like"
        in refused["error"]
    )


def test_a_server_that_is_gone_is_told_in_the_clients_words(server, free_port, request_files):
    from serving.ui.page_model import PageModel

    model = PageModel(server.models.all[0], f"127.0.0.1:{free_port}", request_files)
    with pytest.raises(ServerUnavailableError, match="cannot be reached for model toy"):
        model.ranking(0, None, {})
    model.close()


@pytest.mark.parametrize(
    ("parts", "status", "text"),
    [
        ({"model": "nope"}, 404, "model 'nope': no such model; valid: toy"),
        ({"request": 2}, 404, "request 2: valid: 0 to 1"),
        ({"request": -1}, 400, "request: Input should be greater than or equal to 0"),
        ({"versions": []}, 400, "versions: List should have at least 1 item"),
        ({"weights": {"click": "much"}}, 400, "weights.click: Input should be a valid number"),
        ({"weight": {}}, 400, "unknown key 'weight': did you mean 'weights'?"),
    ],
)
def test_a_call_that_cannot_be_understood_is_refused_with_its_place(rank, parts, status, text):
    received, answer = rank(**parts)
    assert received == status
    assert text in answer["error"]


def test_a_page_under_another_name_gets_nothing(page):
    """As after DNS rebinding: the name is the attacker's, the address is loopback."""
    for path in ("", "api/models"):
        assert call(page.url + path, host="attacker.example")[0] == 400
    assert call(page.url, host=f"localhost:{page.url.split(':')[-1].strip('/')}")[0] == 200


def test_a_page_of_another_origin_may_neither_read_nor_ask(page):
    status, headers, _ = call(page.url + "api/models", origin="http://attacker.example")
    assert (status, headers["access-control-allow-origin"]) == (200, None)
    # What a page may send elsewhere without asking first is no JSON.
    assert call(page.url + "api/rank", {"model": "toy"}, content_type="text/plain")[0] == 415


def test_the_page_may_load_nothing_from_elsewhere(page):
    status, headers, content = call(page.url)
    assert (status, b"<title>Fulcrum" in content) == (200, True)
    assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_model_that_waits_for_its_first_version_is_described_once_it_is_there(
    push, serve, show, request_files, eventually
):
    page = show(serve(), request_files)
    assert models(page) == [{"name": None, "versions": [], "error": "no version is loaded yet"}]
    push(1)
    eventually(lambda: models(page)[0].get("requests"), "a description")


def test_without_anything_logged_the_page_says_what_is_missing(push, serve, show):
    folder = push(1)
    [model] = models(show(serve(), []))
    assert (
        f"{folder} no assets.extra/tf_serving_warmup_requests; give request files with --ui-requests"
        in model["error"]
    )


def test_a_version_without_its_spec_is_named(push, serve, show, request_files):
    push(1, break_it=lambda folder: (folder / "assets.extra" / "feature_spec.yaml").unlink())
    [model] = models(show(serve(name="toy"), request_files))
    assert "feature_spec.yaml: cannot be read" in model["error"]


def test_a_port_that_is_taken_is_named(server, page):
    from serving.model_server.server import PortError
    from serving.ui.ranking_page import RankingPage

    port = int(page.url.split(":")[-1].strip("/"))
    with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1:{port} for the page"):
        RankingPage(server, port)
