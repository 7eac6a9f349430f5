"""Rows of BigQuery as a source of a log."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal, Self

import pydantic
from pydantic import field_validator, model_validator

from feature_spec.logs.day_pattern import check_day_pattern, of_day
from feature_spec.strict_model import PositiveInt, StrictModel

# Other braces belong to the SQL of a query, such as to a regular expression.
_DAY = re.compile(r"\{day[^{}]*\}")
_PROJECT = r"([a-z0-9.-]+:)?[a-z][a-z0-9-]*[a-z0-9]"
_TABLE = re.compile(rf"{_PROJECT}\.\w+\.[\w$-]+")
_DATASET = rf"^{_PROJECT}\.\w+$"
_SOME_DAY = datetime.date(2001, 1, 1)


class BigQueryRows(StrictModel):
    """The rows of a table or of a query, read by Beam's ReadFromBigQuery.

    Attributes:
        table: `project.dataset.table`. A run by span needs a placeholder for the day, as in
            ``exposures_{day:%Y%m%d}``, or ``exposures${day:%Y%m%d}`` for a partition.
        query: SQL instead of a table. A run by span needs a placeholder for the day, as in
            ``WHERE DATE(shown_at) = '{day}'``.
        method: `EXPORT` writes Avro files to Cloud Storage and reads them; `DIRECT_READ` reads
            streams of the Storage Read API.
        gcs_location: the folder of Cloud Storage for the files of `EXPORT`. Defaults to Beam's
            `temp_location`.
        project: the project that pays for the query or export. Defaults to Beam's `project`, then
            to the project of the table.
        use_standard_sql: whether the query is GoogleSQL rather than legacy SQL.
        temp_dataset: an existing `project.dataset` for the result of the query. By default, Beam
            creates one and removes it.
        shards: the number of shards to write, because the size of a table is not known beforehand.
    """

    table: str | None = None
    query: str | None = None
    method: Literal["EXPORT", "DIRECT_READ"] = "EXPORT"
    gcs_location: Annotated[str, pydantic.Field(pattern="^gs://.")] | None = None
    project: str | None = None
    use_standard_sql: bool = True
    temp_dataset: Annotated[str, pydantic.Field(pattern=_DATASET)] | None = None
    shards: PositiveInt = 32

    @field_validator("table")
    @classmethod
    def _table_has_three_parts(cls, table: str | None) -> str | None:
        if table is not None:
            check_day_pattern(table)
            if not _TABLE.fullmatch(of_day(table, _SOME_DAY)):
                raise ValueError(f"a table is given as 'project.dataset.table', received {table!r}")
        return table

    @field_validator("query")
    @classmethod
    def _places_are_days(cls, query: str | None) -> str | None:
        for place in _DAY.findall(query or ""):
            check_day_pattern(place)
        return query

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError(
                "needs either 'table' or 'query', "
                f"received {'none' if self.table is None else 'both'}"
            )
        idle = sorted({"use_standard_sql", "temp_dataset"} & self.model_fields_set)
        if self.table is not None and idle:
            raise ValueError(
                f"{' and '.join(map(repr, idle))} only has an effect with 'query', received a table"
            )
        if self.method != "EXPORT" and self.gcs_location is not None:
            raise ValueError(
                f"'gcs_location' only has an effect with method 'EXPORT', received {self.method!r}"
            )
        return self

    @property
    def has_day(self) -> bool:
        """True if the table or the query has a placeholder for the day."""
        return _DAY.search(self.table or self.query or "") is not None

    def of_day(self, day: datetime.date | None) -> Self:
        """Return the rows of one day, or of all days (None).

        Raises:
            ValueError: `day` is None, and the rows can only be read day by day.
        """
        if not self.has_day:
            return self
        if day is None:
            raise ValueError(
                f"bigquery: {self.table or self.query!r} is one day's: run it by span, "
                "or give a table or query of all days"
            )

        def filled(text: str | None) -> str | None:
            return text and _DAY.sub(lambda place: of_day(place.group(), day), text)

        return self.model_copy(update={"table": filled(self.table), "query": filled(self.query)})
