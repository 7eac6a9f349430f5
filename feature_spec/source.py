"""Files of one table of the logs, and how they are read."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Self

import pydantic
from pydantic import field_validator, model_validator

from feature_spec.day_pattern import check_day_pattern, of_day
from feature_spec.strict_model import StrictModel

LogFormat = Literal["jsonl", "csv", "parquet", "avro", "tfrecord"]


class Source(StrictModel):
    """Files of one table, below the folder given to ``fulcrum run --logs``.

    Attributes:
        path: glob patterns relative to the logs folder, such as ``day=*/*.jsonl.gz``. Files may be plain, .gz or .bz2.
            A run by span looks for one day's files: it needs the day's place, such as ``day={day}/*.jsonl.gz``
            (`feature_spec.day_pattern`).
        format: `jsonl`, `csv`, `parquet`, `avro`, or `tfrecord` of tf.Examples.
        columns: column names of CSV files without a header line. Left out where each file starts with a header.
        delimiter: separates the values of a CSV line. White space around a value is dropped.
    """

    path: Annotated[list[str], pydantic.Field(min_length=1)]
    format: LogFormat
    columns: list[str] | None = None
    delimiter: Annotated[str, pydantic.Field(min_length=1, max_length=1)] = ","

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

    def of_day(self, day: datetime.date | None) -> Self:
        """The source of one day's files, or of all days' (None)."""
        return self.model_copy(update={"path": [of_day(pattern, day) for pattern in self.path]})

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        idle = sorted({"columns", "delimiter"} & self.model_fields_set)
        if self.format != "csv" and idle:
            raise ValueError(f"{' and '.join(map(repr, idle))} only has an effect with format 'csv', received {self.format!r}")
        return self
