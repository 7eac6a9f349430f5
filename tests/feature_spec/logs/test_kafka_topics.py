"""A log in Kafka, as the spec describes it."""

from __future__ import annotations

import datetime

import pytest

from feature_spec.loading import SpecError, parse_spec
from feature_spec.logs.kafka import KafkaTopics

DAY = datetime.date(2022, 5, 1)


def test_a_day_is_the_records_from_its_midnight_to_the_next_in_its_time_zone() -> None:
    topics = KafkaTopics(bootstrap_servers="k:9092", topics="shown", by_day=True)
    # Shanghai is 8 hours ahead: its first of May begins at 16:00 of April 30 in UTC.
    of_the_day = topics.of_day(DAY, "Asia/Shanghai")
    assert (of_the_day.start_time, of_the_day.stop_time) == (
        datetime.datetime(2022, 4, 30, 16, tzinfo=datetime.UTC),
        datetime.datetime(2022, 5, 1, 16, tzinfo=datetime.UTC),
    )


def test_a_day_on_which_clocks_change_has_its_own_length() -> None:
    topics = KafkaTopics(bootstrap_servers="k:9092", topics="shown", by_day=True)
    of_the_day = topics.of_day(datetime.date(2022, 3, 27), "Europe/Berlin")
    assert of_the_day.stop_time - of_the_day.start_time == datetime.timedelta(hours=23)


def test_what_is_read_by_day_cannot_be_read_as_a_whole() -> None:
    topics = KafkaTopics(bootstrap_servers="k:9092", topics="shown", by_day=True)
    with pytest.raises(
        ValueError, match="kafka: shown is read by day: run it by span, or give 'stop_time'"
    ):
        topics.of_day(None, "UTC")


def test_a_batch_survives_its_way_through_json() -> None:
    topics = KafkaTopics(bootstrap_servers="k:9092", topics="shown", by_day=True).of_day(
        DAY, "Europe/Berlin"
    )
    assert KafkaTopics.model_validate_json(topics.model_dump_json(exclude_defaults=True)) == topics


def test_times_are_read_from_yaml(spec_text: str) -> None:
    kafka = "bootstrap_servers: 'k:9092', topics: [a, b], start_time: 2022-05-01T00:00:00Z, stop_time: '2022-05-02T00:00:00+02:00'"
    topics = parse_spec(
        _with_exposures(spec_text, f"kafka: {{{kafka}}}, format: jsonl")
    ).logs.exposures.kafka
    assert topics.topics == ["a", "b"]
    assert topics.stop_time - topics.start_time == datetime.timedelta(hours=22)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("kafka: {topics: t, by_day: true}, format: jsonl", "exposures.kafka.bootstrap_servers: Field required"),
        ("kafka: {bootstrap_servers: k, topics: t, by_day: true}, format: jsonl", "bootstrap_servers: String should match pattern"),
        ("kafka: {bootstrap_servers: 'k:1', topics: [], by_day: true}, format: jsonl", "exposures.kafka.topics: List should have at least 1 item"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t}, format: jsonl", "a topic has no end: needs 'by_day', 'stop_time', 'max_num_records' or 'max_read_time_s'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true, max_num_records: 3}, format: jsonl", "'by_day' says all, received it with 'max_num_records'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, stop_time: 2022-05-01T00:00:00Z, max_read_time_s: 3}, format: jsonl", "'stop_time' does not go with 'max_read_time_s'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, stop_time: 2022-05-01T00:00:00}, format: jsonl", "exposures.kafka.stop_time: Input should have timezone info"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, start_time: 2022-05-01T00:00:00Z, stop_time: 2022-05-01T00:00:00Z}, format: jsonl", "is not after 'start_time'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true, consumer_config: {group.id: g}}, format: jsonl", "'group.id' is given as 'group' beside 'consumer_config'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true}, format: avro", "format of 'kafka' must be one of 'jsonl', 'csv', received 'avro'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true}, format: csv", "format 'csv' of 'kafka' needs 'columns'"),
        ("kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true}", "exposures: 'kafka' needs a 'format'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(
    spec_text: str, source: str, message: str
) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec(_with_exposures(spec_text, source))
    assert message in str(error.value)


def test_a_topic_is_no_side_table(spec_text: str) -> None:
    users = "kafka: {bootstrap_servers: 'k:1', topics: t, by_day: true}, format: jsonl"
    with pytest.raises(
        SpecError,
        match="a side table is one row a key, which a topic is not; give 'path' or 'bigquery'",
    ):
        parse_spec(spec_text.replace("path: users.csv, format: csv", users))


def _with_exposures(spec_text: str, source: str) -> str:
    lines = spec_text.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith("exposures:")]
    lines[at] = f"  exposures: {{{source}}}"
    return "\n".join(lines)
