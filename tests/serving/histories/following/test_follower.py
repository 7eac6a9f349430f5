"""A follower records a stream: every record once, with its offset, whatever happens in between."""

from __future__ import annotations

import datetime
import json
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from feature_spec.loading import parse_spec
from serving.histories.event_files import SideTables
from serving.histories.following import kafka_stream
from serving.histories.following.follower import Follower
from serving.histories.following.kafka_stream import KafkaStream, StreamError
from serving.histories.publishing import publish
from serving.histories.reading.record_events import RecordReader, StreamLog
from serving.histories.store import HistoryStoreError
from tests.serving.histories.following.kafka_double import Consumer, Kafka
from tests.serving.histories.reference import (
    BEGIN_US,
    SPEC,
    answer,
    event_of,
    expected_features,
    random_exposures,
    write_state,
)
from tests.serving.histories.test_joined_events import SPEC as EVENT_SPEC

LINES = random_exposures(3, number=40)
END_US = BEGIN_US + 300_000_000_000


def value_of(line, **more):
    columns = {name: value for name, value in line.items() if name != "author"}
    envelope = {"columns": columns, "fields": {"author_id": line["author"]}, **more}
    return json.dumps(envelope).encode()


def topic_of(lines, partitions=2):
    """Records of partitions in turn, whose Kafka times are 0, 1, 2 … seconds."""
    records = [(at * 1000, value_of(line)) for at, line in enumerate(lines)]
    return [records[first::partitions] for first in range(partitions)]


@pytest.fixture
def kafka(monkeypatch):
    double = Kafka({"feedback": topic_of(LINES)})
    monkeypatch.setattr(kafka_stream, "Consumer", double.consumer)
    return double


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def follower_of(store, spec, topics=("feedback",), clock=None, **settings):
    logs = [StreamLog(topics=topics, source=spec.logs.shown)]
    if spec.logs.actions is not None:
        logs.append(StreamLog(topics=topics, source=spec.logs.actions, kind="action"))
    clocks = {} if clock is None else {"clock": clock}
    stream = KafkaStream("kafka:9092", list(topics), **clocks)
    return Follower(store, stream, RecordReader(spec, logs, None), **clocks, **settings)


def follow(store, spec, **settings):
    """Follow to the end, and return the position in the store."""
    follower = follower_of(store, spec)
    follower.begin(**settings)
    while follower.step():
        pass
    return follower.progress().position


def assert_holds(store, lines):
    for line in LINES[::5]:
        assert answer(store, line, END_US) == expected_features(lines, line, END_US)


def test_a_stream_is_read_to_its_end_and_then_on_from_there(spec, open_store, kafka):
    store = open_store(spec)
    kafka.topics["feedback"] = topic_of(LINES[:30])
    position = follow(store, spec)
    assert (position.records, position.recorded) == (30, 30)
    assert position.offsets == {"feedback/0": 15, "feedback/1": 15}
    assert_holds(store, LINES[:30])
    kafka.topics["feedback"] = topic_of(LINES)
    position = follow(store, spec)
    assert (position.records, position.recorded, position.repeated) == (40, 40, 0)
    assert_holds(store, LINES)


def test_events_that_come_late_count_from_their_own_times(spec, open_store, kafka):
    store = open_store(spec)
    kafka.topics["feedback"] = topic_of(LINES[::-1])
    follow(store, spec)
    assert_holds(store, LINES)
    middle_us = LINES[20]["time_ms"] * 1000 + 700_000_000
    assert answer(store, LINES[0], middle_us) == expected_features(LINES, LINES[0], middle_us)


def test_what_is_known_later_than_the_cutoff_does_not_count_yet(spec, open_store, kafka):
    store = open_store(spec)
    follow(store, spec)
    at_us = LINES[-1]["time_ms"] * 1000 + 1  # known_after_s is 600
    assert answer(store, LINES[-1], at_us) == expected_features(LINES, LINES[-1], at_us)
    assert expected_features(LINES, LINES[-1], at_us) != expected_features(LINES, LINES[-1], END_US)


def test_in_is_recorded_and_repeated_and_rejected_with_the_place_of_the_record(
    spec, open_store, kafka
):
    bad = [None, b"", b"not JSON", b'{"user": "u1"}', b"{}\n{}", b"\xff", b"x" * 2**21]
    good = topic_of(LINES, 1)[0]
    kafka.topics["feedback"] = [[*good, *((0, value) for value in bad), good[0]]]
    follower = follower_of(open_store(spec), spec)
    follower.begin()
    follower.step()
    position = follower.progress().position
    assert (position.records, position.recorded, position.repeated) == (48, 40, 1)
    assert position.rejected == {
        "empty_line": 2,
        "malformed": 2,
        "missing_key": 1,
        "wrong_encoding": 1,
        "line_too_long": 1,
    }
    details = follower.details
    assert "empty_line: kafka:feedback/0, offset 40: a record without a value" in details
    assert "missing_key: kafka:feedback/0, offset 43: video: missing" in details
    assert follower.progress().lags == {"feedback/0": 0}


@pytest.mark.parametrize("applied", [True, False])
def test_a_follower_that_ends_around_a_commit_loses_and_doubles_nothing(
    applied, spec, open_store, kafka, monkeypatch
):
    store = open_store(spec)
    kafka.at_once = 3
    commit, commits = store.database.commit, []

    def ends(transaction):
        commits.append(transaction)
        if len(commits) % 4:
            return commit(transaction)
        if applied:
            commit(transaction)
        raise KeyboardInterrupt

    ended = 0
    monkeypatch.setattr(store.database, "commit", ends)
    while True:
        try:
            position = follow(store, spec)
            break
        except KeyboardInterrupt:
            ended += 1
    assert ended >= 2
    # With offsets beside the transaction, records would be repeated or missing.
    assert (position.records, position.recorded, position.repeated) == (40, 40, 0)
    assert_holds(store, LINES)


def test_equal_lines_count_each_where_the_spec_says_so_and_a_killed_follower_repeats_none(
    open_store, kafka
):
    spec = parse_spec(SPEC.replace("logs:\n", "logs:\n  deduplicate: false\n"))
    store = open_store(spec)
    kafka.topics["feedback"] = topic_of([LINES[0]] * 6)
    assert follow(store, spec).recorded == 6
    assert follow(store, spec, again=True).repeated == 6
    assert_holds(store, [LINES[0]] * 6)


def test_equal_lines_of_a_topic_that_was_made_anew_count_beside_those_before(open_store, kafka):
    spec = parse_spec(SPEC.replace("logs:\n", "logs:\n  deduplicate: false\n"))
    store = open_store(spec)
    follow(store, spec)
    kafka.topics["feedback"] = [
        [(time_ms + 86_400_000, value) for time_ms, value in part]
        for part in kafka.topics["feedback"]
    ]
    assert follow(store, spec, again=True).recorded == 80
    assert_holds(store, LINES * 2)


def test_partitions_that_a_topic_is_given_are_read_from_their_begin(spec, open_store, kafka):
    store, clock = open_store(spec), Clock()
    parts = topic_of(LINES, 4)
    kafka.topics["feedback"] = parts[:2]
    follower = follower_of(store, spec, clock=clock)
    follower.begin(datetime.datetime.fromtimestamp(0, datetime.UTC))
    follower.step()
    kafka.topics["feedback"] = parts[:3]
    assert follower.step() == 0
    clock.now = 31.0
    assert follower.step() == 10
    kafka.topics["feedback"] = parts  # while no follower runs
    late = datetime.datetime.fromtimestamp(10_000, datetime.UTC)
    assert follow(store, spec, since=late).offsets == {f"feedback/{part}": 10 for part in range(4)}
    assert_holds(store, LINES)


def test_records_that_are_gone_of_a_partition_that_came_meanwhile_are_told(spec, open_store, kafka):
    store = open_store(spec)
    kafka.topics["feedback"] = topic_of(LINES, 4)[:2]
    follow(store, spec)
    kafka.topics["feedback"] = topic_of(LINES, 4)
    kafka.first["feedback", 3] = 2
    with pytest.raises(
        StreamError, match="feedback/3: the next offset is 0, .*: 2 records are gone"
    ):
        follow(store, spec)


def test_records_that_come_while_since_is_looked_up_are_read(spec, open_store, kafka):
    kafka.topics["feedback"] = topic_of(LINES[:20])

    def more_come(_):
        kafka.topics["feedback"] = topic_of(LINES)

    kafka.after_times = more_come
    since = datetime.datetime.fromtimestamp(20, datetime.UTC)
    assert follow(open_store(spec), spec, since=since).recorded == 20


def test_since_is_the_time_of_the_first_record_of_topics_that_were_not_read(
    spec, open_store, kafka
):
    since = datetime.datetime.fromtimestamp(35, datetime.UTC)
    assert follow(open_store(spec), spec, since=since).recorded == 5
    kafka.topics["feedback"][1] = kafka.topics["feedback"][1][:10]  # none at or after it
    assert follow(open_store(spec, "other"), spec, since=since).offsets == {
        "feedback/0": 20,
        "feedback/1": 10,
    }


def test_offsets_that_kafka_no_longer_has_end_it_with_what_to_do(spec, open_store, kafka, tmp_path):
    store = open_store(spec)
    kafka.topics["feedback"] = topic_of(LINES[:20])
    follow(store, spec)
    kafka.topics["feedback"] = topic_of(LINES)
    kafka.first["feedback", 1] = 15
    gone = r"kafka:feedback/1: the next offset is 10, and Kafka has 15 up to 20: 5 records are gone"
    with pytest.raises(StreamError, match=f"{gone}.*publish.*--again"):
        follow(store, spec)
    write_state(tmp_path / "state", spec, LINES[:30])
    publish(store, tmp_path / "state")
    position = follow(store, spec, again=True)
    assert position.offsets == {"feedback/0": 20, "feedback/1": 20}
    assert_holds(store, LINES)


def test_offsets_that_go_while_it_reads_end_it_and_nothing_is_skipped(spec, open_store, kafka):
    store = open_store(spec)
    kafka.at_once = 4
    follower = follower_of(store, spec)
    follower.begin()
    follower.step()
    kafka.first["feedback", 0] = 9
    with pytest.raises(StreamError, match="the next offset is 4, and Kafka has 9 up to 20"):
        follower.step()
    assert follower.progress().position.offsets == {"feedback/0": 4, "feedback/1": 4}


def test_a_topic_that_was_made_anew_and_another_cluster_are_told(spec, open_store, kafka):
    store = open_store(spec)
    follow(store, spec)
    kafka.topics["feedback"] = topic_of(LINES[:10])
    with pytest.raises(StreamError, match=r"offset is 20, and Kafka has 0 up to 5: .*made anew"):
        follow(store, spec)
    kafka.topics["feedback"], kafka.cluster = topic_of(LINES), "two"
    with pytest.raises(StreamError, match="has read cluster one of Kafka, and this is two"):
        follow(store, spec)
    position = follow(store, spec, again=True)
    assert (position.cluster, position.recorded, position.repeated) == ("two", 40, 40)
    assert_holds(store, LINES)


def test_a_second_follower_of_a_store_ends_and_changes_nothing(spec, open_store, kafka):
    store = open_store(spec)
    kafka.at_once = 4
    first, second = follower_of(store, spec), follower_of(store, spec)
    first.begin()
    second.begin()
    first.step()
    with pytest.raises(HistoryStoreError, match="another process follows a stream into this store"):
        second.step()
    while first.step():
        pass
    assert first.progress().position.recorded == 40
    assert_holds(store, LINES)


def test_a_state_may_be_published_while_a_stream_is_followed(spec, open_store, kafka, tmp_path):
    store = open_store(spec)
    kafka.at_once = 5
    write_state(tmp_path / "state", spec, LINES[:15])
    follower = follower_of(store, spec)
    follower.begin()
    follower.step()
    publish(store, tmp_path / "state")
    while follower.step():
        pass
    position = follower.progress().position
    assert position.records == 40
    assert position.offsets == {"feedback/0": 20, "feedback/1": 20}
    assert_holds(store, LINES)


def test_servers_that_are_away_for_a_while_are_told_and_waited_for(spec, open_store, kafka):
    clock = Clock()
    follower = follower_of(open_store(spec), spec, clock=clock)
    follower.begin()
    kafka.is_down, clock.now = True, 31.0
    assert follower.step() == 0
    assert follower.progress().trouble == "no leader"
    kafka.is_down = False
    assert follower.step() == 40
    assert follower.progress().trouble == ""


@pytest.mark.parametrize("is_raised", [True, False], ids=["raised", "of no topic"])
def test_errors_of_the_client_are_told_with_the_servers(
    spec, open_store, kafka, monkeypatch, is_raised
):
    refused = KafkaError(KafkaError._AUTHENTICATION, "SASL refused")

    def consume(consumer, number, timeout):
        if is_raised:
            raise KafkaException(refused)
        return [SimpleNamespace(error=lambda: refused, topic=lambda: None)]

    follower = follower_of(open_store(spec), spec)
    follower.begin()
    monkeypatch.setattr(Consumer, "consume", consume)
    with pytest.raises(StreamError, match="Kafka at kafka:9092: SASL refused"):
        follower.step()


def test_a_partition_whose_times_cannot_be_looked_up_is_told(spec, open_store, kafka, monkeypatch):
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not allowed")

    def offsets_for_times(consumer, partitions, timeout):
        return [
            SimpleNamespace(topic=one.topic, partition=one.partition, offset=-1001, error=refused)
            for one in partitions
        ]

    monkeypatch.setattr(Consumer, "offsets_for_times", offsets_for_times)
    with pytest.raises(StreamError, match="kafka:feedback/0: not allowed"):
        follower_of(open_store(spec), spec).begin(since=datetime.datetime.now(datetime.UTC))


def test_what_cannot_be_begun_is_told(spec, open_store, kafka):
    store = open_store(spec)
    with pytest.raises(StreamError, match="kafka:nothing: Unknown topic or partition"):
        follower_of(store, spec, topics=["nothing"]).begin()
    kafka.is_down = True
    with pytest.raises(StreamError, match="Kafka at kafka:9092: Broker transport failure"):
        follower_of(store, spec).begin()
    with pytest.raises(StreamError, match="settings of Kafka's client: No such property"):
        KafkaStream("kafka:9092", ["feedback"], settings={"no.such.setting": "1"})
    assert store.stream_position() is None


def test_the_client_commits_nothing_and_takes_no_gap_for_an_end(spec, open_store, kafka):
    follow(open_store(spec), spec)
    config = kafka.configs[0]
    assert config["enable.auto.commit"] is False
    assert config["auto.offset.reset"] == "error"


def test_a_store_is_compacted_now_and_then_and_its_position_stays(spec, open_store, kafka):
    store, clock = open_store(spec, exact_for_s=0.0), Clock()
    follower = follower_of(store, spec, compact_every_s=100.0, clock=clock)
    follower.begin()
    clock.now = 99.0
    follower.step()
    compacted = []
    store.compact = lambda: compacted.append(clock.now)
    follower.step()
    clock.now = 150.0
    follower.step()
    follower.step()
    assert compacted == [150.0]
    again = follower_of(store, spec, compact_every_s=100.0, clock=clock)
    clock.now = 249.0
    again.begin()
    again.step()
    assert compacted == [150.0]
    assert again.progress().position.recorded == 40


def test_impressions_and_actions_of_one_topic_are_told_apart_by_where(open_store, kafka):
    text = EVENT_SPEC.replace('"i*.jsonl",', '"e*.jsonl", where: {what: [shown]},')
    spec = parse_spec(
        text.replace('    path: "a*.jsonl"', '    path: "e*"\n    where: {what: [did]}')
    )
    shown = {"what": "shown", "id": 1, "request": "r", "user": "u", "video": "v", "time_s": 10}
    did = {**shown, "what": "did", "id": 2, "time_s": 20, "action": "click", "seconds": None}
    lines = [json.dumps(line).encode() for line in (did, shown)]
    kafka.topics["feedback"] = [[(0, line) for line in lines]]
    store = open_store(spec)
    position = follow(store, spec)
    assert (position.records, position.recorded, position.filtered) == (4, 2, 2)
    known = store.features({"user_id": "u"}, {}, [], 30_000_000)
    assert (known.user["user_shown"], known.user["user_click"]) == (1.0, 1.0)
    before = store.features({"user_id": "u"}, {}, [], 20_000_000)
    assert (before.user["user_shown"], before.user["user_click"]) == (1.0, 0.0)


def test_side_tables_are_joined(spec, open_store, kafka, tmp_path):
    rows = {line["video"]: line["author"] for line in LINES}
    text = "".join(json.dumps({"video": key, "author_id": rows[key]}) + "\n" for key in rows)
    (tmp_path / "videos.jsonl").write_text(text)
    lines = [json.dumps({k: v for k, v in line.items() if k != "author"}) for line in LINES]
    kafka.topics["feedback"] = [[(0, line.encode()) for line in lines]]
    store = open_store(spec)
    reader = RecordReader(
        spec, [StreamLog(topics=["feedback"], source=spec.logs.shown)], SideTables(spec, tmp_path)
    )
    follower = Follower(store, KafkaStream("kafka:9092", ["feedback"]), reader)
    follower.begin()
    follower.step()
    assert_holds(store, LINES)
    recorded = open_store(spec, "recorded")
    recorded.record_all(event_of(line, number) for number, line in enumerate(LINES))
    assert answer(store, LINES[3], END_US) == answer(recorded, LINES[3], END_US)
