"""A small spec and small logs that the tests of ingestion share."""

from __future__ import annotations

import datetime
import functools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from feature_spec.loading import parse_spec
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.formats.record_batch import RecordRows
from pipeline.ingest.labelling.labelled_rows import RowLabeller
from pipeline.ingest.settings.ingest_config import IngestSettings

SPEC = """
name: tiny
keys: {request: request_id, user: user_id, item: item_id, event_time: {column: time_s, unit: s}}
logs:
  exposures: {path: "day*", format: jsonl}
  tables:
    users: {path: "users*", format: jsonl, key: user_id}
  max_line_bytes: 1000
  max_rejected_share: 0.5
split: {evaluation_days: 1, validation_share: 0.2}
fields:
  region: {side: user, kind: categorical, table: users}
  age: {side: user, kind: numeric, table: users, minimum: 0}
  recent: {side: user, kind: sequence, shares: item}
  item: {side: item, kind: categorical, column: item_id}
  price: {side: item, kind: numeric, minimum: 0}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
  watch:
    kind: regression
    label: {rule: ratio, numerator: play_s, denominator: duration_s, clip: 1.0}
    sample_space: {event: clicked}
    metric: mse
    threshold: 0.5
    tolerance: 0.1
ranking_formula: {weights: {click: 1.0}}
"""

DAY_S = 86_400
# Read from YAML once: tests of random rows ask for settings thousands of times.
_SPEC_JSON = json.dumps(yaml.safe_load(SPEC))


@functools.cache
def _settings(spec: str, day: datetime.date | None) -> IngestSettings:
    return IngestSettings.from_spec(parse_spec(spec), day)


class Tiny:
    """Settings and rows of the small spec."""

    @staticmethod
    def settings(day: datetime.date | None = None, **changes: Any) -> IngestSettings:
        """The settings of a day, or of all, changed at paths such as `logs__deduplicate`."""
        spec = json.loads(_SPEC_JSON)
        for path, value in changes.items():
            *parents, last = path.split("__")
            part = spec
            for parent in parents:
                part = part[parent]
            if value is None:
                part.pop(last, None)
            else:
                part[last] = value
        return _settings(json.dumps(spec), day)

    @staticmethod
    def row(number: int, day: int = 0, **changes: Any) -> dict[str, Any]:
        """An exposure; rows of different numbers differ."""
        return {
            "request_id": f"r{number}", "user_id": f"u{number % 3}", "item_id": f"i{number % 7}", "time_s": DAY_S * day + number,
            "recent": ["i1", "i2"], "price": number / 4, "clicked": number % 2, "play_s": 3, "duration_s": 12,
        } | changes  # fmt: skip

    @staticmethod
    def labelled(
        rows: list[dict[str, Any]], file: int = 0, first: int = 1, **changes: Any
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Rows as the labeller of the changed settings reads them; their lines count from `first`."""
        lines = list(range(first, first + len(rows)))
        return RowLabeller(Tiny.settings(**changes))(
            RecordRows(rows), "log", file, lines, [b"raw"] * len(rows)
        )

    @staticmethod
    def write(path: Path, rows: list[dict[str, Any]]) -> None:
        """Writes JSON lines."""
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two days of 50 exposures and a table that lacks user 2."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in range(2):
        Tiny.write(
            folder / f"day{day}.jsonl", [Tiny.row(100 * day + number, day) for number in range(50)]
        )
    users = [
        {"user_id": "u0", "region": "north", "age": 30},
        {"user_id": "u1", "age": None},
        {"user_id": "u0", "region": "south"},
    ]
    Tiny.write(folder / "users.jsonl", users)
    return folder
