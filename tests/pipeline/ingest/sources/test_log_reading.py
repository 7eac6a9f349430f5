"""Logs by connectors: beam.Create stands for Beam's own transforms, and everything behind it is that of files."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from feature_spec.names import SPLITS
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

KAFKA = {
    "kafka": {
        "bootstrap_servers": "k:9092",
        "topics": ["shown", "again"],
        "max_num_records": 9,
        "shards": 4,
    },
    "format": "jsonl",
}
BIGQUERY = {
    "bigquery": {"table": "acme.d.shown", "gcs_location": "gs://bucket/exports", "shards": 3}
}


class Ingested:
    """What one run of ingestion wrote: serialised examples with their split, rejected lines, and the summary."""

    def __init__(self, rules: IngestSettings, logs: Path, out: Path) -> None:
        import apache_beam as beam
        import tensorflow as tf

        from pipeline.ingest.beam_ingestion import IngestLogs

        files = check_logs(rules, str(logs))
        options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
        with beam.Pipeline("DirectRunner", options=options) as pipeline:
            _ = pipeline | IngestLogs(
                rules, files, str(out), {split: str(out / split) for split in SPLITS}
            )
        self.summary = IngestSummary.model_validate_json((out / "ingest_summary.json").read_text())
        self.examples: Counter[tuple[str, bytes]] = Counter()
        self.shards = set()
        for split in SPLITS:
            paths = [str(path) for path in (out / split).glob("*")]
            self.shards |= {path.rpartition("-of-")[2] for path in paths}
            self.examples.update(
                (split, one.numpy())
                for one in tf.data.TFRecordDataset(paths, compression_type="GZIP")
            )
        self.rejected = [
            row
            for path in (out / "rejected").glob("*.parquet")
            for row in pq.read_table(path).to_pylist()
        ]


@pytest.fixture
def connectors(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the connectors read: `kafka`, a list of (topic, partition, offset, value); rows of BigQuery by their table."""
    import apache_beam as beam

    content: dict[str, Any] = {}
    rows = [beam.Row]  # imported once

    def kafka(_: Any) -> Any:
        names = ("topic", "partition", "offset", "value")
        return beam.Create(
            [rows[0](**dict(zip(names, record, strict=True))) for record in content["kafka"]]
        )

    monkeypatch.setattr("pipeline.ingest.sources.kafka.read_from_kafka", kafka)
    monkeypatch.setattr(
        "pipeline.ingest.sources.bigquery.read_from_bigquery",
        lambda source: beam.Create(content[source.table]),
    )
    return content


def _kafka(lines: list[bytes], seed: int) -> list[tuple[str, int, int, bytes]]:
    """The lines in some partitions of two topics, in any order of arrival."""
    draw = random.Random(seed)
    next_offset: Counter[tuple[str, int]] = Counter()
    records = []
    for line in lines:
        partition = (draw.choice(["shown", "again"]), draw.randrange(3))
        next_offset[partition] += draw.randrange(1, 4)
        records.append((*partition, next_offset[partition], line))
    draw.shuffle(records)
    return records


def _rejects(run: Ingested) -> Counter[tuple[str, str]]:
    return Counter((entry["reason"], entry["raw"]) for entry in run.rejected)


_NUMBERS = st.integers(0, 40)
_SPOILT = st.sampled_from([b"", b"no json", b"\xff", b"[1]", b"x" * 1001])


@settings(max_examples=2, phases=[Phase.generate])
@given(numbers=st.lists(_NUMBERS, min_size=8), spoilt=st.lists(_SPOILT), seed=st.integers(0, 9))
def test_the_same_records_give_the_same_examples_and_counts_by_file_by_kafka_and_by_bigquery(
    numbers: list[int],
    spoilt: list[bytes],
    seed: int,
    tiny,
    connectors: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    logs = folder / "logs"
    logs.mkdir()
    tiny.write(logs / "users.jsonl", [{"user_id": "u0", "region": "north", "age": 30}])
    # Some numbers come more than once, and so do their rows; the last has no user.
    rows = [tiny.row(number, number % 2) for number in numbers] + [tiny.row(99, 1, user_id=None)]
    lines = [json.dumps(row).encode() for row in rows] + spoilt
    random.Random(seed).shuffle(lines)
    (logs / "day0.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    connectors["kafka"] = _kafka(lines, seed)
    by_file = Ingested(tiny.settings(), logs, folder / "files")
    by_kafka = Ingested(tiny.settings(logs__exposures=KAFKA), logs, folder / "kafka")
    assert by_kafka.examples == by_file.examples
    assert by_kafka.summary == by_file.summary
    assert by_file.summary.differences() == by_kafka.summary.differences() == []
    assert _rejects(by_kafka) == _rejects(by_file)

    # A table has no broken lines.
    tiny.write(logs / "day0.jsonl", rows)
    connectors["acme.d.shown"] = random.Random(seed).sample(rows, len(rows))
    by_file = Ingested(tiny.settings(), logs, folder / "typed_files")
    by_bigquery = Ingested(tiny.settings(logs__exposures=BIGQUERY), logs, folder / "bigquery")
    assert by_bigquery.examples == by_file.examples
    assert by_bigquery.summary == by_file.summary


def test_a_rejected_record_of_kafka_is_found_by_its_partition_and_offset(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    good = [tiny.row(number, number % 2) for number in range(20)]
    connectors["kafka"] = [
        *(("shown", 0, number, json.dumps(row).encode()) for number, row in enumerate(good)),
        ("again", 2, 700, b"no json"),
        ("again", 1, 31, json.dumps(good[3]).encode()),
        ("shown", 4, 5, None),
    ]
    run = Ingested(tiny.settings(logs__exposures=KAFKA), logs, tmp_path / "out")
    places = {
        (entry["source"], entry["offset"], entry["reason"], entry["raw"]) for entry in run.rejected
    }
    assert places == {
        ("kafka:again/2", 700, "malformed", "no json"),
        # Of equal records the one of the lowest partition counts as the first.
        ("kafka:again/1", 31, "duplicate", json.dumps(good[3])),
        ("kafka:shown/4", 5, "empty_line", ""),
    }
    (detail,) = [entry["detail"] for entry in run.rejected if entry["reason"] == "duplicate"]
    assert detail == "equal in every column to kafka:shown/0, line 3"
    assert run.shards == {"00004.gz"}


def test_a_rejected_row_of_bigquery_is_told_by_its_table_and_content(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    rows = [tiny.row(number, number % 2) for number in range(20)]
    connectors["acme.d.shown"] = [*rows, tiny.row(30, price=-1), rows[0]]
    run = Ingested(tiny.settings(logs__exposures=BIGQUERY), logs, tmp_path / "out")
    assert {(entry["source"], entry["offset"], entry["reason"]) for entry in run.rejected} == {
        ("bigquery:acme.d.shown", 0, "out_of_range"),
        ("bigquery:acme.d.shown", 0, "duplicate"),
    }
    assert {json.loads(entry["raw"])["request_id"] for entry in run.rejected} == {"r30", "r0"}
    assert run.shards == {"00003.gz"}


def test_a_side_table_of_bigquery_is_joined_whatever_order_its_rows_have(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    users = [
        {"user_id": "u0", "region": "south"},
        {"user_id": "u0", "region": "north"},
        {"user_id": "u1", "age": 30},
    ]
    rules = tiny.settings(
        logs__tables__users={
            "bigquery": {"table": "acme.d.users", "method": "DIRECT_READ"},
            "key": "user_id",
        }
    )
    runs = []
    for name, order in (("one", users), ("other", users[::-1])):
        connectors["acme.d.users"] = order
        runs.append(Ingested(rules, logs, tmp_path / name))
    assert runs[0].examples == runs[1].examples
    # Users 0, 1, 2 in turn; the table lacks user 2, who has 16 of 0…49 and 17 of 100…149.
    table = runs[0].summary.tables["users"]
    assert (table.lines, table.rows, table.repeated_keys, table.examples_without_row) == (
        3,
        2,
        1,
        33,
    )


def test_an_empty_side_table_of_bigquery_has_no_row(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    connectors["acme.d.users"] = []
    users = {"bigquery": {"table": "acme.d.users", "method": "DIRECT_READ"}, "key": "user_id"}
    run = Ingested(tiny.settings(logs__tables__users=users), logs, tmp_path / "out")
    assert (
        run.summary.tables["users"].lines,
        run.summary.tables["users"].examples_without_row,
    ) == (0, 100)


def test_event_logs_by_connectors_are_joined_as_those_in_files(
    tiny, connectors, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    tiny.write(logs / "users.jsonl", [{"user_id": "u0", "region": "north", "age": 30}])
    shown = [tiny.row(number, number % 2) for number in range(30)]
    clicks = [
        {
            "request_id": row["request_id"],
            "item_id": row["item_id"],
            "kind": "click",
            "time_s": row["time_s"] + 5,
        }
        for row in shown
    ]
    clicks += [clicks[0], clicks[1] | {"request_id": "none"}, clicks[2] | {"time_s": 10**6}]
    tiny.write(logs / "shown.jsonl", shown)
    tiny.write(logs / "clicks.jsonl", clicks)
    connectors["acme.d.shown"] = shown[::-1]
    connectors["kafka"] = _kafka([json.dumps(click).encode() for click in clicks], seed=1)
    actions = {
        "kind": "kind",
        "event_time": {"column": "time_s", "unit": "s"},
        "window_s": 60.0,
        "folds": {"clicked": {"action": "click", "fold": "any"}},
    }
    runs = []
    for name, shown_source, actions_source in (
        (
            "files",
            {"path": "shown.jsonl", "format": "jsonl"},
            {"path": "clicks.jsonl", "format": "jsonl"},
        ),
        ("connectors", BIGQUERY, KAFKA),
    ):
        changes = {
            "logs__exposures": None,
            "logs__impressions": shown_source,
            "logs__actions": actions | actions_source,
        }
        runs.append(Ingested(tiny.settings(**changes), logs, tmp_path / name))
    by_file, by_connector = runs
    assert by_connector.examples == by_file.examples
    assert by_connector.summary == by_file.summary
    assert by_file.summary.actions is not None
    assert by_file.summary.actions.rejected == {
        "duplicate": 1,
        "late_action": 1,
        "orphan_action": 1,
    }
    assert _rejects(by_connector) == _rejects(by_file)
    assert {entry["source"].partition(":")[0] for entry in by_connector.rejected} == {"kafka"}


def test_a_column_that_no_record_has_stops_the_run_when_it_was_read(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    connectors["kafka"] = _kafka(
        [json.dumps(tiny.row(number, number % 2)).encode() for number in range(20)], seed=0
    )
    rules = tiny.settings(logs__exposures=KAFKA, fields__price__column="pricy")
    with pytest.raises(
        ValueError,
        match=r"the logs are not as the spec says\n  fields.price: no column 'pricy' in kafka:shown,again",
    ):
        Ingested(rules, logs, tmp_path / "out").summary.check(rules)


def test_a_column_that_a_topic_of_csv_does_not_have_stops_the_run_before_it_is_read(
    tiny, logs: Path
) -> None:
    source = KAFKA | {
        "format": "csv",
        "columns": [
            "request_id",
            "user_id",
            "item_id",
            "time_s",
            "recent",
            "clicked",
            "play_s",
            "duration_s",
        ],
    }
    with pytest.raises(ValueError, match="fields.price: no column 'price' in kafka:shown,again"):
        check_logs(tiny.settings(logs__exposures=source), str(logs))


def test_several_tables_are_read_beside_each_other_by_beams_own_connector(
    tiny, logs: Path, tmp_path: Path
) -> None:
    import apache_beam as beam

    from pipeline.ingest.beam_ingestion import IngestLogs

    users = {"bigquery": {"table": "acme.d.users", "method": "DIRECT_READ"}, "key": "user_id"}
    rules = tiny.settings(logs__exposures=BIGQUERY, logs__tables__users=users)
    pipeline = beam.Pipeline("DirectRunner")
    _ = pipeline | IngestLogs(rules, check_logs(rules, str(logs)), str(tmp_path), {})
    labels = pipeline.to_runner_api().components.transforms.values()
    read = {
        label.unique_name.split("/")[1]
        for label in labels
        if "_CustomBigQuery" in label.unique_name or "ReadBigQuery" in label.unique_name
    }
    assert read == {"ReadExposures", "Read_users"}


def test_an_empty_topic_is_a_log_without_lines(
    tiny, connectors, logs: Path, tmp_path: Path
) -> None:
    connectors["kafka"] = []
    rules = tiny.settings(logs__exposures=KAFKA)
    with pytest.raises(ValueError, match=r"the log \(kafka:shown,again\) has no lines"):
        Ingested(rules, logs, tmp_path / "out").summary.check(rules)
