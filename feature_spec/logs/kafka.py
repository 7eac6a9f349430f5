"""Kafka topics as a source of a log."""

from __future__ import annotations

import datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo

import pydantic
from pydantic import AwareDatetime, field_validator, model_validator

from feature_spec.strict_model import PositiveInt, StrictModel

# A time with a time zone, in YAML or as text.
Time = Annotated[AwareDatetime, pydantic.Field(strict=False)]

_OWN_OPTIONS = {"bootstrap.servers": "bootstrap_servers", "group.id": "group"}


class KafkaTopics(StrictModel):
    """A batch of the records of some topics, read by Beam's ReadFromKafka.

    The time of a record is its Kafka timestamp, not the log's event time. Beam turns times into
    offsets for each partition: from the first record at or after the start up to the first record
    at or after the stop. Both records must exist.

    Attributes:
        bootstrap_servers: servers such as ``kafka-1:9092,kafka-2:9092``.
        topics: one topic or several.
        start_time: the earliest time to read. Defaults to the offset that the group has committed,
            or else to the first record that Kafka still has.
        stop_time: the time before which records are read.
        by_day: reads the records of the day in a run by span.
        max_num_records: the largest number of records to read; for a trial.
        max_read_time_s: the seconds to wait for records; for a trial.
        group: the consumer group, if access or quotas depend on it. No offset is committed.
        consumer_config: more settings of Kafka's client, such as `security.protocol`.
        shards: the number of shards to write, because the size of a topic is not known beforehand.
    """

    bootstrap_servers: Annotated[str, pydantic.Field(pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")]
    topics: Annotated[list[str], pydantic.Field(min_length=1)]
    start_time: Time | None = None
    stop_time: Time | None = None
    by_day: bool = False
    max_num_records: pydantic.PositiveInt | None = None
    max_read_time_s: PositiveInt | None = None
    group: str | None = None
    consumer_config: dict[str, str] = {}
    shards: PositiveInt = 32

    @field_validator("topics", mode="before")
    @classmethod
    def _one_topic_is_a_list_of_one(cls, received: object) -> object:
        return [received] if isinstance(received, str) else received

    @field_validator("consumer_config")
    @classmethod
    def _settings_have_one_place(cls, settings: dict[str, str]) -> dict[str, str]:
        for name in sorted(settings.keys() & _OWN_OPTIONS.keys()):
            raise ValueError(
                f"{name!r} is given as {_OWN_OPTIONS[name]!r} beside 'consumer_config'"
            )
        return settings

    @model_validator(mode="after")
    def _is_a_batch(self) -> Self:
        limits = {"max_num_records", "max_read_time_s"} & self.model_fields_set
        times = {"start_time", "stop_time"} & self.model_fields_set
        if self.by_day and limits | times:
            raise ValueError(
                "'by_day' says all, received it with "
                f"{' and '.join(map(repr, sorted(limits | times)))}"
            )
        if not self.by_day and self.stop_time is None and not limits:
            raise ValueError(
                "a topic has no end: needs 'by_day', 'stop_time', 'max_num_records' or "
                "'max_read_time_s'"
            )
        if self.stop_time is not None and limits:
            # Beam's connector ignores the stop time once it counts records or time.
            raise ValueError(
                f"'stop_time' does not go with {' and '.join(map(repr, sorted(limits)))}"
            )
        if (
            self.start_time is not None
            and self.stop_time is not None
            and self.start_time >= self.stop_time
        ):
            raise ValueError(
                f"'stop_time' {self.stop_time} is not after 'start_time' {self.start_time}"
            )
        return self

    def of_day(self, day: datetime.date | None, timezone: str) -> Self:
        """Return the records of one day, which begins in `timezone`, or of all days (None).

        Raises:
            ValueError: `day` is None, and the records can only be read day by day.
        """
        if not self.by_day:
            return self
        if day is None:
            raise ValueError(
                f"kafka: {', '.join(self.topics)} is read by day: run it by span, "
                "or give 'stop_time' instead of 'by_day'"
            )
        start, stop = (
            datetime.datetime.combine(
                day + datetime.timedelta(days=days), datetime.time(), ZoneInfo(timezone)
            )
            for days in (0, 1)
        )
        # JSON does not keep time zones, so times are in UTC.
        times = {
            "start_time": start.astimezone(datetime.UTC),
            "stop_time": stop.astimezone(datetime.UTC),
        }
        return self.model_copy(update={"by_day": False, **times})
