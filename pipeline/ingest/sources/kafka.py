"""Records of Kafka, read by Beam's own connector, which is written in Java."""

from __future__ import annotations

import datetime
from typing import Any

import apache_beam as beam
from apache_beam.coders import RowCoder
from apache_beam.io.kafka import ReadFromKafka
from apache_beam.portability.api import external_transforms_pb2, schema_pb2
from apache_beam.typehints.schemas import named_tuple_from_schema

from feature_spec.logs.kafka import KafkaTopics


def read_from_kafka(topics: KafkaTopics) -> beam.PTransform:
    """Return Beam's transform that reads rows of `topic`, `partition`, `offset` and `value`."""
    # Without a start time or an offset that its group committed, Kafka would begin at the end.
    config = {
        "auto.offset.reset": "earliest",
        **topics.consumer_config,
        "bootstrap.servers": topics.bootstrap_servers,
    }
    if topics.group is not None:
        config["group.id"] = topics.group
    arguments: dict[str, Any] = {
        "consumer_config": config,
        "topics": topics.topics,
        "start_read_time": _milliseconds(topics.start_time),
        "max_num_records": topics.max_num_records,
        "max_read_time": topics.max_read_time_s,
        "with_metadata": True,
    }
    stop_ms = _milliseconds(topics.stop_time)
    return (
        ReadFromKafka(**arguments) if stop_ms is None else _ReadFromKafkaUntil(stop_ms, **arguments)
    )


class ReadKafka(beam.PTransform):
    """Reads from Kafka; its error tells what is missing where the connector cannot be set up.

    Args:
        topics: the topics to read.
        place: the path of the source in the feature spec.
    """

    def __init__(self, topics: KafkaTopics, place: str) -> None:
        super().__init__()
        self._topics = topics
        self._place = place

    def expand(self, pipeline: beam.pvalue.PBegin) -> beam.PCollection:
        """Ask the expansion service for the steps in Java.

        Raises:
            ValueError: there is no expansion service.
        """
        try:
            return pipeline | "ReadFromKafka" >> read_from_kafka(self._topics)
        except Exception as error:  # whatever Java, a download or gRPC raise
            raise ValueError(
                f"{self._place}.kafka: Beam's Kafka connector cannot be set up. It needs Java and "
                "Beam's Java expansion service, whose jar Beam takes from Maven Central or from "
                "its cache; or the address of a running one, --beam 'beam_services="
                """{"sdks:java:io:expansion-service:shadowJar": "HOST:PORT"}'. """
                f"Beam says: {error}"
            ) from error


class _ReadFromKafkaUntil(ReadFromKafka):
    """`ReadFromKafka` with a setting of the connector that Beam's Python side lacks."""

    def __init__(self, stop_read_time_ms: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        payload: bytes = self._payload  # type: ignore[has-type]
        configuration = external_transforms_pb2.ExternalConfigurationPayload.FromString(payload)
        settings = RowCoder(configuration.schema).decode(configuration.payload)
        schema = configuration.schema
        schema.id = ""  # the name under which Beam remembers the fields
        kind = schema_pb2.FieldType(nullable=True, atomic_type=schema_pb2.INT64)
        schema.fields.append(schema_pb2.Field(name="stop_read_time", type=kind))
        row = named_tuple_from_schema(schema)(*settings, stop_read_time_ms)
        configuration.payload = RowCoder(schema).encode(row)
        self._payload = configuration.SerializeToString()


def _milliseconds(time: datetime.datetime | None) -> int | None:
    return round(time.timestamp() * 1000) if time is not None else None
