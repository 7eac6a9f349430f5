"""`fulcrum histories follow` on Kafka's own broker: ten kills lose nothing and double nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from feature_spec.loading import parse_spec
from serving.histories.following.position import StreamPosition
from serving.histories.opening import open_store
from tests.engines.catalogue import require
from tests.engines.kafka_broker import running_broker, write_topic
from tests.engines.stored_content import stored_content
from tests.serving.histories import redis_server
from tests.serving.histories.reference import SPEC, random_exposures
from tests.wheel import REPOSITORY

pytestmark = [pytest.mark.engines, pytest.mark.slow]

KILLS = 10
RECORDS = 6000
PARTITIONS = 3


def _lines() -> list[str | None]:
    """Lines of the last half hour, which no store folds yet; some cannot be used, some repeat."""
    draw = random.Random(5)
    now_ms = int(time.time() * 1000)
    lines: list[str | None] = []
    for number, line in enumerate(random_exposures(5, number=RECORDS)):
        # Half of them in order, the others late by up to half an hour.
        time_ms = now_ms - draw.randrange(1_800_000) if number % 2 else now_ms - RECORDS + number
        fields = {"author_id": line.pop("author")}
        columns = {**line, "time_ms": time_ms}
        lines.append(json.dumps({"columns": columns, "fields": fields}))
    lines[7], lines[800], lines[4000] = None, "not JSON", json.dumps({"user": "u1"})
    lines[900], lines[5500] = lines[100], lines[101]
    return lines


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("kafka")
    with running_broker(tmp_path_factory.mktemp("kafka")) as address:
        write_topic(address, "feedback", PARTITIONS, [])
        producer = Producer({"bootstrap.servers": address})
        for number, line in enumerate(_lines()):
            producer.produce("feedback", line, partition=number % PARTITIONS)
        assert producer.flush() == 0
        yield address


def _follower(spec: Path, broker: str, store: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fulcrum", "histories", "follow", "--spec", str(spec)]
    command += ["--store", store, "--servers", broker, "--topic", "feedback", "--json", *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, env=environment
    )


def _read_so_far(store: str) -> int:
    opened = open_store(store, parse_spec(SPEC))
    try:
        raw = opened.stream_position()
        return 0 if raw is None else StreamPosition.decoded(raw, store).records
    finally:
        opened.close()


@pytest.mark.parametrize("kind", ["lmdb", "redis"])
def test_a_store_whose_follower_was_killed_ten_times_equals_one_that_was_read_into_at_once(
    kind: str, broker: str, tmp_path: Path, request: pytest.FixtureRequest
):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    stores = [str(tmp_path / "at_once"), str(tmp_path / "killed")]
    if kind == "redis":
        url = request.getfixturevalue("redis_url").removesuffix("0")
        stores = [f"{url}1", f"{url}2"]
    at_once, killed = stores
    last = _follower(spec, broker, at_once, "--until-end")
    told = last.communicate()[0].splitlines()
    assert last.returncode == 0
    assert json.loads(told[-1])["lag"] == 0
    draw = random.Random(17)
    points = []
    for number in range(1, KILLS + 1):
        follower = _follower(spec, broker, killed)
        aim = RECORDS * number // (KILLS + 2) + draw.randrange(1, RECORDS // (2 * KILLS))
        while (so_far := _read_so_far(killed)) < aim:
            assert follower.poll() is None
            time.sleep(0.02)
        time.sleep(draw.random() / 50)
        follower.send_signal(signal.SIGKILL)
        follower.communicate()
        points.append(so_far)
    assert points[-1] < RECORDS
    last = _follower(spec, broker, killed)
    while _read_so_far(killed) < RECORDS:
        assert last.poll() is None
        time.sleep(0.02)
    last.send_signal(signal.SIGTERM)
    told = last.communicate()[0].splitlines()
    assert last.returncode == 0
    counts = json.loads(told[-1])
    assert counts["in"] == RECORDS
    assert (counts["recorded"], counts["repeated"]) == (RECORDS - 5, 2)
    assert counts["rejected"] == {"empty_line": 1, "malformed": 1, "missing_key": 1}
    expected = stored_content(at_once, parse_spec(SPEC))
    assert len(expected["events"]) == RECORDS - 5
    assert stored_content(killed, parse_spec(SPEC)) == expected


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = redis_server.program()
    if command is None:
        pytest.skip("no redis-server on this machine")
    with redis_server.running(command, tmp_path_factory.mktemp("redis")) as (url, _):
        yield url
