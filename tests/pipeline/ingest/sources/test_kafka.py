"""What Beam's Kafka connector is asked for. In the place of its Java side, an expansion service of Beam's Python SDK answers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent import futures
from typing import Any, NamedTuple

import pytest

from feature_spec.logs.kafka import KafkaTopics

pytestmark = pytest.mark.slow

SERVICE = "sdks:java:io:expansion-service:shadowJar"


class KafkaRecord(NamedTuple):
    """The row that the connector gives, as far as it is read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


class JavaSide:
    """Stands for Java's side of the connector.

    Attributes:
        address: of the expansion service.
        asked: the settings of each read that was expanded.
        records: what a read gives.
    """

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[Any] = []
        self.records: list[KafkaRecord] = []

    def transform(self, _: Any, configuration: Any, __: Any) -> Any:
        """Beam's transform for settings that came over the wire."""
        import apache_beam as beam
        from apache_beam.coders import RowCoder

        self.asked.append(RowCoder(configuration.schema).decode(configuration.payload))
        return beam.Create(self.records).with_output_types(KafkaRecord)


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> Iterator[JavaSide]:
    import grpc
    from apache_beam.io.kafka import ReadFromKafka
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.portability.api import beam_expansion_api_pb2_grpc, external_transforms_pb2
    from apache_beam.runners.portability.expansion_service import ExpansionServiceServicer
    from apache_beam.transforms.ptransform import PTransform

    side = JavaSide()
    known = (external_transforms_pb2.ExternalConfigurationPayload, side.transform)
    monkeypatch.setitem(PTransform._known_urns, ReadFromKafka.URN_WITH_METADATA, known)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = ExpansionServiceServicer(
        PipelineOptions(["--environment_type=beam:env:embedded_python:v1"])
    )
    beam_expansion_api_pb2_grpc.add_ExpansionServiceServicer_to_server(servicer, server)
    side.address = f"localhost:{server.add_insecure_port('localhost:0')}"
    server.start()
    yield side
    server.stop(None)


def _read(
    topics: KafkaTopics, address: str | None = None, expected: list[Any] | None = None
) -> None:
    """Reads in a pipeline, which sees that the records are those expected."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.testing.util import assert_that, equal_to

    from pipeline.ingest.sources.kafka import ReadKafka

    services = [f'--beam_services={{"{SERVICE}": "{address}"}}'] if address else []
    options = PipelineOptions(["--direct_running_mode=in_memory", *services])
    with beam.Pipeline("DirectRunner", options=options) as pipeline:
        records = pipeline | ReadKafka(topics, "logs.exposures")
        read = records | beam.Map(
            lambda record: (record.topic, record.partition, record.offset, record.value)
        )
        assert_that(read, equal_to(expected or []))


def test_records_come_with_topic_partition_offset_and_value(java: JavaSide) -> None:
    java.records = [KafkaRecord("shown", 3, 41, 0, b"{}"), KafkaRecord("shown", 0, 7, 0, None)]
    topics = KafkaTopics(bootstrap_servers="k:9092", topics="shown", max_num_records=2)
    _read(topics, java.address, expected=[("shown", 0, 7, None), ("shown", 3, 41, b"{}")])


def test_the_connector_gets_what_the_spec_says(java: JavaSide) -> None:
    topics = KafkaTopics(
        bootstrap_servers="k1:9092,k2:9092",
        topics=["shown", "again"],
        start_time="1970-01-01T00:00:01.5Z",
        max_num_records=10,
        max_read_time_s=20,
        group="ranking",
        consumer_config={"security.protocol": "SASL_SSL"},
    )
    _read(topics, java.address)
    (asked,) = java.asked
    assert asked.topics == ["shown", "again"]
    assert asked.consumer_config == {
        "auto.offset.reset": "earliest",
        "bootstrap.servers": "k1:9092,k2:9092",
        "group.id": "ranking",
        "security.protocol": "SASL_SSL",
    }
    assert (asked.start_read_time, asked.max_num_records, asked.max_read_time) == (1500, 10, 20)
    assert not asked.commit_offset_in_finalize
    assert not hasattr(asked, "stop_read_time")


def test_the_time_to_stop_at_goes_to_java_beside_beams_own_settings(java: JavaSide) -> None:
    _read(
        KafkaTopics(bootstrap_servers="k:9092", topics="shown", stop_time="1970-01-02T00:00:00Z"),
        java.address,
    )
    _read(KafkaTopics(bootstrap_servers="k:9092", topics="shown", max_num_records=1), java.address)
    until, others = (one._asdict() for one in java.asked)
    # A day has 86,400 seconds.
    assert until.pop("stop_read_time") == 86_400_000
    assert until == others | {"max_num_records": None}


def test_without_java_the_error_names_the_source_and_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(
        ValueError, match="logs.exposures.kafka: .* needs Java and Beam's Java expansion service"
    ) as error:
        _read(KafkaTopics(bootstrap_servers="k:9092", topics="shown", max_num_records=1))
    assert "neither Java nor Docker executables are available" in str(error.value)


def test_without_the_jar_the_error_says_where_beam_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from apache_beam.utils.subprocess_server import JavaJarServer

    class Awaited(subprocess.Popen[bytes]):
        """Beam asks Java for its version and lets the answer go; on a slow machine it is still to come."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.communicate()

    monkeypatch.setattr(subprocess, "Popen", Awaited)
    (tmp_path / "java").write_text("#!/bin/sh\n")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(JavaJarServer, "JAR_CACHE", str(tmp_path / "jars"))
    for repository in ("MAVEN_CENTRAL_REPOSITORY", "GOOGLE_MAVEN_MIRROR"):
        monkeypatch.setattr(JavaJarServer, repository, f"file://{tmp_path}/nowhere")
    with pytest.raises(
        ValueError, match="logs.exposures.kafka: .* whose jar Beam takes from Maven Central"
    ) as error:
        _read(KafkaTopics(bootstrap_servers="k:9092", topics="shown", max_num_records=1))
    assert "beam-sdks-java-io-expansion-service" in str(error.value)
