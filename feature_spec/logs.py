"""Where a user's logs lie and how they are read: sources, keys and the split into train, validation and evaluation."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import pydantic
from pydantic import PositiveInt, field_validator, model_validator

from feature_spec.field import Share
from feature_spec.rejection_reason import RejectionReason
from feature_spec.strict_model import StrictModel

LogFormat = Literal["jsonl", "csv", "parquet"]


class Source(StrictModel):
    """Files of one table, below the folder given to ``fulcrum run --logs``.

    Attributes:
        path: glob patterns relative to the logs folder, such as ``day=*/*.jsonl.gz``. Files may be plain, .gz or .bz2.
        format: `jsonl`, `csv` or `parquet`.
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

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        idle = sorted({"columns", "delimiter"} & self.model_fields_set)
        if self.format != "csv" and idle:
            raise ValueError(f"{' and '.join(map(repr, idle))} only has an effect with format 'csv', received {self.format!r}")
        return self


class SideTable(Source):
    """A table joined to the exposures by key, such as users or items.

    Attributes:
        key: the column of this table that identifies a row. Of several rows with one key the first by path and line is used.
        exposure_key: the column of the exposure log that refers to it. Defaults to `key`.
    """

    key: str
    exposure_key: str | None = None


class Logs(StrictModel):
    """The exposure log (one row an exposure, with its feedback) and its side tables.

    Attributes:
        exposures: the log.
        tables: side tables by name.
        missing_values: texts that stand for a missing value.
        deduplicate: whether a line equal to an earlier one in every column is rejected as a duplicate.
        max_line_bytes: a longer line is rejected unread.
        max_rejected_share: the largest share of the log's lines that may be rejected before the run stops.
        max_rejected_share_of: a limit of its own for a reason, which then does not count towards the common one.
    """

    exposures: Source
    tables: dict[str, SideTable] = {}
    missing_values: list[str] = [""]
    deduplicate: bool = True
    max_line_bytes: PositiveInt = 1_000_000
    max_rejected_share: Share = 0.1
    max_rejected_share_of: dict[Annotated[RejectionReason, pydantic.Field(strict=False)], Share] = {}


class EventTime(StrictModel):
    """When an exposure happened.

    Attributes:
        column: the column that holds it: a number since the Unix epoch, or text when `unit` is a date unit.
        unit: `s`, `ms` or `us` since the Unix epoch; `iso8601` text; or `yyyymmdd`, a day.
        timezone: IANA name of the zone in which days begin, and of times that do not name one.
    """

    column: str
    unit: Literal["s", "ms", "us", "iso8601", "yyyymmdd"]
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no such time zone: {name!r}; give an IANA name such as 'Asia/Shanghai'") from error
        return name


class Keys(StrictModel):
    """Columns of the log that say who was shown what, and when. A line without one of those named is rejected.

    Attributes:
        request: identifies the ranking request.
        user: identifies the user.
        item: identifies the item.
        event_time: when the exposure happened. Needed to split by days.
    """

    request: str | None = None
    user: str | None = None
    item: str | None = None
    event_time: EventTime | None = None


class Split(StrictModel):
    """Which exposures train the model, which stop the training, and which judge it. No exposure is in two splits.

    Attributes:
        evaluation_days: the last days of the log judge the model (as in PLE, section 4.1). Excludes `evaluation_files`.
        evaluation_files: glob patterns of the files that judge the model, for logs without an event time.
        validation_share: share of the exposures of `validation_of` set aside for early stopping, drawn by a hash of each.
        validation_of: the part that share is taken from.
    """

    evaluation_days: PositiveInt | None = None
    evaluation_files: list[str] | None = None
    validation_share: Annotated[float, pydantic.Field(gt=0.0, lt=1.0)] = 0.05
    validation_of: Literal["train", "evaluation"] = "train"

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if (self.evaluation_days is None) == (self.evaluation_files is None):
            raise ValueError("needs either 'evaluation_days' or 'evaluation_files'")
        return self
