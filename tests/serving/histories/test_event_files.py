"""Events and side tables of files are read as the spec describes the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_spec.loading import parse_spec
from feature_spec.logs.log_values import UnusableLineError
from feature_spec.logs.source import Source
from serving.histories.event_files import SideTables, read_events
from serving.histories.history_event import HistoryEvent

HEADERLESS = Source(path=["*.csv"], format="csv", columns=["user", "item"], delimiter="|")


def columns(file: Path, source: Source | None = None) -> list[object]:
    return [
        dict(event.columns) if isinstance(event, HistoryEvent) else str(event)
        for event in read_events(str(file), 1000, source=source)
    ]


def test_csv_without_a_header_has_the_columns_and_the_delimiter_of_the_spec(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("u1|a\nu2|b\n")
    assert columns(file, HEADERLESS) == [{"user": "u1", "item": "a"}, {"user": "u2", "item": "b"}]


@pytest.mark.parametrize("source", [None, Source(path=["*.csv"], format="csv")])
def test_a_byte_order_mark_is_no_part_of_the_first_columns_name(
    tmp_path: Path, source: Source | None
) -> None:
    file = tmp_path / "day.csv"
    file.write_bytes(b"\xef\xbb\xbfuser,item\nu1,a\n")
    assert columns(file, source) == [{"user": "u1", "item": "a"}]


def test_a_line_that_is_not_of_the_encoding_is_rejected_by_the_encodings_name(
    tmp_path: Path,
) -> None:
    file = tmp_path / "day.csv"
    file.write_bytes(b"user\n\x81\n\xe9\n")
    source = Source(path=["*.csv"], format="csv", encoding="cp1252")
    wrong, right = read_events(str(file), 1000, source=source)
    assert isinstance(wrong, UnusableLineError)
    assert "not CP1252" in str(wrong)
    assert isinstance(right, HistoryEvent)
    assert right.columns == {"user": "é"}


def test_a_side_table_with_a_byte_order_mark_is_joined(tmp_path: Path) -> None:
    spec = parse_spec("""
name: shop
keys: {user: user, item: item, event_time: {column: t, unit: s}}
logs:
  exposures: {path: "*.jsonl", format: jsonl}
  tables: {items: {path: items.csv, format: csv, key: item}}
split: {evaluation_days: 1}
fields:
  user: {side: user, kind: categorical}
  item: {side: item, kind: categorical}
  brand: {side: item, kind: categorical, table: items}
histories:
  known_after_s: 0
  counts: {of_brand: {by: [user, brand], tasks: [click]}}
tasks: {click: {kind: binary, label: {rule: event, column: c}, metric: auc}}
ranking_formula: {weights: {click: 1.0}}
""")
    (tmp_path / "items.csv").write_bytes(b"\xef\xbb\xbfitem,brand\na,b1\n")
    joined = SideTables(spec, tmp_path).joined(HistoryEvent(columns={"user": "u", "item": "a"}))
    assert joined.fields == {"brand": "b1"}
