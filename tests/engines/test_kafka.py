"""Kafka's own broker, read by Beam's connector in Java inside Flink: the records of one day."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_spec.logs.kafka import KafkaTopics
from tests.engines.catalogue import require
from tests.engines.flink_cluster import FlinkCluster
from tests.engines.kafka_broker import running_broker, write_topic
from tests.engines.kafka_connector import running_expansion_service

pytestmark = [pytest.mark.engines, pytest.mark.slow]

ZONE = "Asia/Shanghai"
DAY = datetime.date(2026, 5, 2)


def _at(text: str) -> int:
    """A time of 2026 in the zone as milliseconds, such as 05-02 23:59:59.999."""
    local = datetime.datetime.fromisoformat(f"2026-{text}+08:00")
    return round(local.timestamp() * 1000)


# By partition, in the order of arrival. The last partition has no record of the day.
RECORDS = [
    (0, _at("05-01 23:59:59.999"), "the day before"),
    (0, _at("05-02 00:00:00"), "first of the day"),
    (0, _at("05-02 12:00:00"), None),
    (0, _at("05-02 23:59:59.999"), "last of the day"),
    (0, _at("05-03 00:00:00"), "the day after"),
    (0, _at("05-02 11:00:00"), "of the day, arrived after midnight"),
    (1, _at("05-02 13:00:00"), "line\\twith é"),
    (1, _at("05-01 20:00:00"), "of the day before, arrived late"),
    (1, _at("05-03 07:00:00"), "the day after"),
    (2, _at("05-03 08:00:00"), "the day after"),
]
# From the first record at or after midnight up to the first at or after the next: what arrives late stands where it arrived.
OF_THE_DAY = {
    (0, 1, "first of the day"),
    (0, 2, None),
    (0, 3, "last of the day"),
    (1, 0, "line\\twith é"),
    (1, 1, "of the day before, arrived late"),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("kafka")
    with running_broker(tmp_path_factory.mktemp("kafka")) as address:
        write_topic(address, "feedback", 3, RECORDS)
        yield address


def test_a_day_has_the_same_records_each_time_that_it_is_read(
    broker: str, cluster: FlinkCluster, tmp_path: Path
):
    import apache_beam as beam

    from pipeline.commands.run_options import beam_arguments
    from pipeline.ingest.sources.kafka import read_from_kafka

    topics = KafkaTopics(bootstrap_servers=broker, topics=["feedback"], by_day=True)
    of_day = topics.of_day(DAY, ZONE)
    with running_expansion_service(tmp_path) as service:
        for folder in ("once", "twice"):
            given = beam_arguments([*cluster.beam_options(), service])
            options = beam.options.pipeline_options.PipelineOptions(given)
            with beam.Pipeline(options=options) as pipeline:
                _ = (
                    pipeline
                    | read_from_kafka(of_day)
                    | beam.Map(lambda row: repr((row.partition, row.offset, row.value and row.value.decode())))
                    | beam.io.WriteToText(str(tmp_path / folder / "records"))
                )  # fmt: skip
    for folder in ("once", "twice"):
        lines = [line for file in (tmp_path / folder).iterdir() for line in file.read_text().splitlines()]  # fmt: skip
        assert sorted(lines) == sorted(map(repr, OF_THE_DAY))
