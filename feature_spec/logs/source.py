"""A source of log records: files, BigQuery or Kafka."""

from __future__ import annotations

import codecs
import datetime
from typing import Annotated, Literal, Self

import pydantic
from pydantic import field_validator, model_validator

from feature_spec.logs.bigquery import BigQueryRows
from feature_spec.logs.day_pattern import check_day_pattern, has_day, of_day
from feature_spec.logs.kafka import KafkaTopics
from feature_spec.strict_model import StrictModel, Text, Values, values_text

UTF_8 = "utf-8"
LogFormat = Literal["jsonl", "csv", "parquet", "avro", "tfrecord"]


class Source(StrictModel):
    """The source of the records of one table.

    It is files below the folder given to ``fulcrum run --logs``, rows of BigQuery, or records of
    Kafka.

    Attributes:
        path: glob patterns relative to the logs folder, such as ``day=*/*.jsonl.gz``. Files may be
            plain, .gz or .bz2. A run by span reads the files of one day, so it needs a placeholder
            for the day, such as ``day={day}/*.jsonl.gz`` (`feature_spec.logs.day_pattern`).
        format: `jsonl`, `csv`, `parquet`, `avro`, or `tfrecord` of tf.Examples for files; `jsonl`
            or `csv` for records of Kafka.
        columns: column names of CSV files without a header line. Omit it if each file starts with
            a header.
        delimiter: separates the values of a CSV line. White space around a value is dropped.
        encoding: the encoding of text, a name that Python knows, such as `latin-1`, `cp1252` or
            `utf-16`. A line with a byte that it does not know is rejected.
        where: the values of which a column must hold one, by column, such as ``{behavior: [pv]}``.
            Other lines belong to other sources: they are counted, and neither used nor rejected.
        bigquery: rows of BigQuery instead of files.
        kafka: records of Kafka instead of files, one line each.
    """

    path: Annotated[list[Text], pydantic.Field(min_length=1)] = []
    format: LogFormat | None = None
    columns: Annotated[list[str], pydantic.Field(min_length=1)] | None = None
    delimiter: Annotated[str, pydantic.Field(pattern=r'^[^"\r\n]$')] = ","
    encoding: str = UTF_8
    where: dict[Text, Values] = {}
    bigquery: BigQueryRows | None = None
    kafka: KafkaTopics | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _one_pattern_is_a_list_of_one(cls, received: object) -> object:
        return [received] if isinstance(received, str) else received

    @field_validator("path")
    @classmethod
    def _braces_are_days(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            check_day_pattern(pattern)
        return patterns

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: list[str] | None) -> list[str] | None:
        for column in columns or []:
            if column and columns and columns.count(column) > 1:
                raise ValueError(f"column {column!r} is given twice")
        return columns

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "a".encode(encoding)
            name = codecs.lookup(encoding).name
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"no such encoding of text: {encoding!r}; give one that Python knows, such as "
                "'utf-8', 'latin-1', 'cp1252', 'utf-16' or 'gb18030'"
            ) from error
        # A byte order mark is dropped anyway.
        return UTF_8 if name in (UTF_8, "utf-8-sig") else encoding

    @model_validator(mode="after")
    def _records_are_in_one_place(self) -> Self:
        places = [name for name in ("path", "bigquery", "kafka") if getattr(self, name)]
        if len(places) != 1:
            raise ValueError(
                "needs one of 'path', 'bigquery' and 'kafka', "
                f"received {' and '.join(map(repr, places)) or 'none'}"
            )
        if self.bigquery is not None and self.format is not None:
            raise ValueError(
                "'format' has no effect with 'bigquery', whose rows have columns, "
                f"received {self.format!r}"
            )
        if self.bigquery is None and self.format is None:
            raise ValueError(f"{places[0]!r} needs a 'format'")
        if self.kafka is not None and self.format not in ("jsonl", "csv"):
            raise ValueError(
                f"format of 'kafka' must be one of 'jsonl', 'csv', received {self.format!r}"
            )
        if self.kafka is not None and self.format == "csv" and self.columns is None:
            raise ValueError("format 'csv' of 'kafka' needs 'columns': a topic has no header")
        return self

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        idle = sorted({"columns", "delimiter"} & self.model_fields_set)
        if self.format != "csv" and idle:
            raise ValueError(
                f"{' and '.join(map(repr, idle))} only has an effect with format 'csv', "
                f"received {self.format!r}"
            )
        if self.format not in ("csv", "jsonl") and "encoding" in self.model_fields_set:
            raise ValueError(
                "'encoding' only has an effect with the formats 'csv' and 'jsonl', "
                f"received {self.format!r}"
            )
        return self

    @property
    def connector(self) -> BigQueryRows | KafkaTopics | None:
        """The connector that reads the records; None for files."""
        return self.bigquery or self.kafka

    @property
    def has_day(self) -> bool:
        """True if the records of one day can be read alone."""
        if self.kafka is not None:
            return self.kafka.by_day
        return self.bigquery.has_day if self.bigquery is not None else all(map(has_day, self.path))

    @property
    def text(self) -> str:
        """The place of the records, for messages."""
        if self.kafka is not None:
            return f"kafka:{','.join(self.kafka.topics)}"
        if self.bigquery is not None:
            return f"bigquery:{self.bigquery.table or self.bigquery.query}"
        return " ".join(self.path)

    @property
    def where_text(self) -> str:
        """The conditions of `where` in words, such as ``behavior in pv, fav``."""
        return " and ".join(f"{column} in {values_text(of)}" for column, of in self.where.items())

    def of_day(self, day: datetime.date | None, timezone: str = "UTC") -> Self:
        """Return the source of the records of one day, or of all days (None).

        Days of Kafka begin in `timezone`.

        Raises:
            ValueError: `day` is None, and the records can only be read day by day.
        """
        return self.model_copy(
            update={
                "path": [of_day(pattern, day) for pattern in self.path],
                "bigquery": self.bigquery and self.bigquery.of_day(day),
                "kafka": self.kafka and self.kafka.of_day(day, timezone),
            }
        )
