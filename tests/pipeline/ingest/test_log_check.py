"""A spec and logs that do not fit are told apart before the heavy work."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.ingest.log_check import check_logs

DAY = datetime.date(1970, 1, 2)


def test_logs_that_fit_give_their_files(tiny, logs: Path) -> None:
    assert len(check_logs(tiny.settings(), str(logs)).sources[None]) == 2


def test_every_column_that_is_nowhere_is_named_with_its_place_and_the_closest_ones(
    tiny, logs: Path
) -> None:
    settings = tiny.settings(
        fields__price__column="pricy", keys__item="video", fields__age__column="ages"
    )
    with pytest.raises(ValueError, match="are not as the spec says") as raised:
        check_logs(settings, str(logs))
    assert str(raised.value).splitlines()[1:] == [
        "  fields.price: no column 'pricy' in day*: did you mean 'price'?",
        "  keys.item: no column 'video' in day*: valid: clicked, duration_s, item_id, play_s, price, recent, request_id, time_s, user_id",
        "  fields.age: no column 'ages' in users*: did you mean 'age'?",
    ]


def test_a_column_that_only_the_last_line_has_is_there(tiny, logs: Path) -> None:
    with (logs / "day1.jsonl").open("a") as file:
        file.write(json.dumps(tiny.row(999, 1, discount=3)) + "\n")
    check_logs(tiny.settings(fields__price__column="discount"), str(logs))


def test_the_columns_of_csv_are_those_of_its_headers(tiny, logs: Path) -> None:
    (logs / "users.csv").write_text("user_id,regio,age\n")
    settings = tiny.settings(
        logs__tables__users={"path": "users.csv", "format": "csv", "key": "user_id"}
    )
    with pytest.raises(
        ValueError, match="fields.region: no column 'region' in users.csv: did you mean 'regio'"
    ):
        check_logs(settings, str(logs))


def test_the_columns_of_csv_without_headers_are_those_of_the_spec(tiny, logs: Path) -> None:
    (logs / "users.csv").write_text("u0,north,30\n")
    source = {
        "path": "users.csv",
        "format": "csv",
        "key": "user_id",
        "columns": ["user_id", "region"],
    }
    with pytest.raises(ValueError, match="fields.age: no column 'age' in users.csv"):
        check_logs(tiny.settings(logs__tables__users=source), str(logs))


def test_the_columns_of_parquet_are_those_of_its_schema(tiny, logs: Path) -> None:
    pq.write_table(pa.table({"user_id": ["u0"], "region": ["north"]}), logs / "users.parquet")
    source = {"path": "users.parquet", "format": "parquet", "key": "user_id"}
    with pytest.raises(ValueError, match="fields.age: no column 'age' in users.parquet"):
        check_logs(tiny.settings(logs__tables__users=source), str(logs))


def test_logs_of_another_format_are_called_unreadable_with_the_first_reason(
    tiny, logs: Path
) -> None:
    (logs / "users.jsonl").write_text("user_id,region,age\nu0,north,30\n")
    with pytest.raises(
        ValueError, match=r"users\*: no line can be read as jsonl; users\.jsonl, line 1: not JSON"
    ):
        check_logs(tiny.settings(), str(logs))


@pytest.mark.parametrize(
    ("kind", "content"),
    [("jsonl", b""), ("csv", b""), ("parquet", b""), ("avro", b""), ("jsonl", gzip.compress(b""))],
)
def test_a_day_of_a_run_by_span_may_be_empty_and_a_whole_log_may_not(
    tiny, logs: Path, kind: str, content: bytes
) -> None:
    name = f"empty.{kind}" + (".gz" if content else "")
    (logs / name).write_bytes(content)
    source = {"path": name, "format": kind}
    check_logs(tiny.settings(DAY, logs__exposures=source), str(logs))
    with pytest.raises(ValueError, match=f"{name}: no line can be read"):
        check_logs(tiny.settings(logs__exposures=source), str(logs))


def test_a_day_whose_lines_are_none_of_its_format_is_not_empty(tiny, logs: Path) -> None:
    (logs / "wrong.jsonl").write_text("a,b\n1,2\n")
    settings = tiny.settings(DAY, logs__exposures={"path": "wrong.jsonl", "format": "jsonl"})
    with pytest.raises(ValueError, match="no line can be read as jsonl"):
        check_logs(settings, str(logs))


def test_twin_columns_are_told_before_the_work_if_the_spec_reads_them(tiny, logs: Path) -> None:
    columns = [
        pa.array(["u0"]),
        pa.array(["north"]),
        pa.array([1]),
        pa.array([2]),
        pa.array([3]),
        pa.array([4]),
    ]
    names = ["user_id", "region", "age", "age", "other", "other"]
    pq.write_table(pa.Table.from_arrays(columns, names), logs / "users.parquet")
    source = {"path": "users.parquet", "format": "parquet", "key": "user_id"}
    with pytest.raises(ValueError, match="the logs in") as raised:
        check_logs(tiny.settings(logs__tables__users=source), str(logs))
    assert str(raised.value).splitlines()[1:] == [
        "  fields.age: column 'age' occurs more than once in a file of users.parquet"
    ]
