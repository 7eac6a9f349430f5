"""`fulcrum histories follow`: its options, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import urllib.request

import pytest
from typer.testing import CliRunner

from feature_spec.loading import parse_spec
from fulcrum.cli import app
from serving.commands import follow_histories
from serving.histories.following import kafka_stream
from serving.histories.lmdb_store import LmdbHistoryStore
from tests.serving.histories.following.kafka_double import Kafka
from tests.serving.histories.following.test_follower import LINES, topic_of
from tests.serving.histories.reference import SPEC
from tests.serving.histories.test_joined_events import SPEC as EVENT_SPEC

KAFKA = "kafka: {bootstrap_servers: 'spec:9092', topics: feedback, by_day: true, group: team, consumer_config: {security.protocol: SSL}}"
KAFKA_SPEC = SPEC.replace('exposures: {path: "*.jsonl",', f"exposures: {{{KAFKA},")


@pytest.fixture
def kafka(monkeypatch):
    records = [*topic_of(LINES, 1)[0], (0, None), (0, b"not JSON")]
    double = Kafka({"feedback": [records]})
    monkeypatch.setattr(kafka_stream, "Consumer", double.consumer)
    return double


@pytest.fixture
def run(tmp_path):
    def invoke(*words, spec=SPEC, store="store"):
        file = tmp_path / "spec.yaml"
        file.write_text(spec)
        arguments = ["histories", "follow", "--spec", str(file), "--store", str(tmp_path / store)]
        return CliRunner().invoke(app, [*arguments, *map(str, words)])

    return invoke


TOPIC = ("--servers", "kafka:9092", "--topic", "feedback")


def test_it_reads_to_the_end_and_tells_what_became_of_the_records(run, kafka):
    done = run(*TOPIC, "--until-end")
    assert done.exit_code == 0, done.output
    first, last = done.stdout.splitlines()
    assert first == "0 in = 0 recorded + 0 repeated + 0 rejected; 42 behind in 1 partitions"
    counts = "42 in = 40 recorded + 0 repeated + 2 rejected (empty_line 1, malformed 1)"
    assert last.startswith(f"{counts}; 0 behind in 1 partitions; newest event ")
    assert "rejected: empty_line: kafka:feedback/0, offset 40" in done.stderr
    again = json.loads(run(*TOPIC, "--until-end", "--json").stdout.splitlines()[-1])
    assert (again["in"], again["recorded"], again["lag"]) == (42, 40, 0)
    assert again["rejected"] == {"empty_line": 1, "malformed": 1}


def test_sigterm_ends_it_after_a_whole_step(run, kafka, tmp_path):
    steps = []

    def terminate(_):
        steps.append(1)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    kafka.at_once, kafka.before_consume = 5, terminate
    before = signal.getsignal(signal.SIGTERM)
    done = run(*TOPIC, "--json")
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout.splitlines()[-1])
    assert (counts["in"], counts["lag"]) == (15, 27)
    assert signal.getsignal(signal.SIGTERM) is before


def test_progress_is_told_now_and_then_also_to_prometheus(run, kafka, monkeypatch):
    monkeypatch.setattr(follow_histories, "_TELL_EVERY_S", 0.0)
    monkeypatch.setattr(
        "serving.histories.following.metrics.start_http_server", started := Started()
    )
    kafka.at_once = 20
    kafka.before_consume = lambda _: started.read()
    done = run(*TOPIC, "--until-end", "--json", "--metrics-port", "0")
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["in"] for line in done.stdout.splitlines()] == [0, 20, 40, 42, 42]
    text = started.texts[2]
    assert 'fulcrum_histories_records_total{reason="",result="recorded"} 40.0' in text
    assert 'fulcrum_histories_lag_records{partition="0",topic="feedback"} 2.0' in text
    name = "fulcrum_histories_newest_event_timestamp_seconds "
    newest = next(line for line in text.splitlines() if line.startswith(name))
    assert float(newest.removeprefix(name)) == LINES[-1]["time_ms"] / 1000


class Started:
    """Prometheus' server, whose port is known, and what it said."""

    def __init__(self):
        from prometheus_client import start_http_server

        self._start, self.texts = start_http_server, []

    def __call__(self, port, registry):
        server, thread = self._start(port, addr="127.0.0.1", registry=registry)
        self._port = server.server_port
        return server, thread

    def read(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
            self.texts.append(answer.read().decode())


def test_servers_topics_and_settings_are_those_of_the_spec_or_of_the_options(run, kafka):
    assert run("--until-end", spec=KAFKA_SPEC).exit_code == 0
    config = kafka.configs[0]
    assert config["bootstrap.servers"] == "spec:9092"
    assert (config["group.id"], config["security.protocol"]) == ("team", "SSL")
    words = ("--servers", "other:1", "--config", "security.protocol=SASL_SSL", "--until-end",
             "--config", "group.id=mine")  # fmt: skip
    assert run(*words, spec=KAFKA_SPEC, store="other").exit_code == 0
    config = kafka.configs[1]
    assert config["bootstrap.servers"] == "other:1"
    assert (config["group.id"], config["security.protocol"]) == ("mine", "SASL_SSL")


ACTIONS = EVENT_SPEC.replace('impressions: {path: "i*.jsonl",', f"impressions: {{{KAFKA},").replace(
    '    path: "a*.jsonl"', f"    {KAFKA.replace('spec:', 'another:')}"
)


@pytest.mark.parametrize(
    ("words", "spec", "text"),
    [
        ((), SPEC, "reads its logs from elsewhere than Kafka (*.jsonl); give --servers and --topic"),
        (("--topic", "feedback"), SPEC, "--servers is needed: one consumer reads one, and the spec names none"),
        ((*TOPIC, "--actions-topic", "a"), SPEC, "has no log of actions"),
        ((*TOPIC, "--config", "x"), SPEC, "--config x: give a name and its value"),
        ((*TOPIC, "--config", "auto.offset.reset=latest"), SPEC, "follow sets auto.offset.reset itself"),
        ((*TOPIC, "--config", "bootstrap.servers=a:1"), SPEC, "itself; give --servers"),
        ((*TOPIC, "--since", "noon"), SPEC, "--since noon: give a time such as"),
        ((*TOPIC,), SPEC.replace('"*.jsonl", format: jsonl}', '"*.csv", format: csv}'), "needs 'columns'"),
        (("--servers", "kafka:9092", "--topic", "nothing"), SPEC, "kafka:nothing: Unknown topic"),
        ((), ACTIONS, "the spec names several: another:9092 and spec:9092"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_exits_with_1(run, kafka, words, spec, text):
    done = run(*words, "--until-end", spec=spec)
    assert done.exit_code == 1, done.output
    assert text in done.stderr


def test_a_store_of_another_spec_is_refused_before_kafka_is_asked(run, kafka, tmp_path):
    other = parse_spec(SPEC.replace("known_after_s: 600", "known_after_s: 60"))
    store = LmdbHistoryStore(tmp_path / "store", other)
    store.begin()
    store.close()
    done = run(*TOPIC, "--until-end")
    assert done.exit_code == 1
    assert "histories of another spec" in done.stderr
    assert kafka.configs == []
