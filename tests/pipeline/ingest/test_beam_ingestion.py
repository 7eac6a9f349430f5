"""Ingestion as a whole, in Beam's in-memory runner."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_spec.names import SPLITS
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle import arrow_tables
from pipeline.simulator.malformed import HUGE_LINE_BYTES, KINDS, spoilt_line
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def test_side_tables_are_written_for_pushed_versions_where_the_spec_says_so(
    tiny, logs: Path, tmp_path: Path
) -> None:
    user = {"side": "user", "kind": "categorical", "column": "user_id"}
    shown = tiny.settings(fields__user=user, logs__tables__users__display="user_id")
    settings = shown.model_copy(update={"export_tables": True})
    Ingested(settings, logs, tmp_path / "with")
    Ingested(tiny.settings(), logs, tmp_path / "without")
    assert not (tmp_path / "without" / "tables").exists()
    with gzip.open(tmp_path / "with" / "tables" / "users.jsonl.gz", "rt") as lines:
        assert json.loads(next(lines)) == {"key_field": "user"}
        written = {row["key"]: row for row in map(json.loads, lines)}
    rows = {key: row["fields"] for key, row in written.items()}
    # The table shows a user by the key here; titles would be the usual thing.
    assert {key: row["display"] for key, row in written.items()} == {key: key for key in written}
    table = [
        json.loads(line)
        for file in sorted(logs.glob("users*"))
        for line in file.read_text().splitlines()
    ]
    assert rows == {
        row["user_id"]: {name: row[name] for name in ("region", "age") if row.get(name) is not None}
        for row in reversed(table)  # of a repeated key, the first row counts
    }


def test_every_line_becomes_an_example_or_a_rejected_line(tiny, logs: Path, tmp_path: Path) -> None:
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert sum(len(run.examples(split)) for split in SPLITS) == run.summary.lines == 100
    assert run.rejected() == []
    assert {split: len(run.examples(split)) for split in SPLITS} == run.summary.examples
    assert run.summary.examples["evaluation"] == 50
    # Users 0, 1, 2 in turn; the table lacks user 2, who has 16 of 0…49 and 17 of 100…149.
    assert run.summary.tables["users"].examples_without_row == 33
    assert sum(split.examples for split in run.summary.tasks["watch"].values()) == 50


def test_each_kind_of_malformed_line_has_its_reason(tiny, logs: Path, tmp_path: Path) -> None:
    reasons = {
        "cut_line": "malformed",
        "wrong_type": "wrong_type",
        "missing_key": "missing_key",
        "negative_duration": "out_of_range",
        "nan": "not_finite",
        "wrong_encoding": "wrong_encoding",
        "empty": "empty_line",
        "huge_line": "line_too_long",
        "unknown_column": None,
        "duplicate": "duplicate",
    }
    # A file a kind, each with a row of its own that is spoilt; the duplicate follows its original.
    places = {kind: (f"day0-{kind}.jsonl", 1) for kind in reasons} | {
        "duplicate": ("day0.jsonl", 51)
    }
    for number, kind in enumerate(reasons):
        line = json.dumps(tiny.row(49 if kind == "duplicate" else 150 + number)).encode()
        with (logs / places[kind][0]).open("ab") as file:
            file.write((line if kind == "duplicate" else spoilt_line(line, kind)) + b"\n")
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.lines == 110
    assert run.summary.rejected == {reason: 1 for reason in reasons.values() if reason}
    assert sum(run.summary.examples.values()) == 101
    entries = {entry["source"]: entry for entry in run.rejected()}
    assert entries.keys() == {places[kind][0] for kind, reason in reasons.items() if reason}
    for kind, reason in reasons.items():
        if reason:
            entry = entries[places[kind][0]]
            assert (entry["offset"], entry["reason"]) == (places[kind][1], reason)
            assert entry["detail"]
            assert entry["raw"].startswith("" if kind == "empty" else '{"request_id":')
            assert len(entry["raw"]) < HUGE_LINE_BYTES


def test_the_ten_kinds_together_leave_the_usable_rows_of_the_simulator(tmp_path: Path) -> None:
    simulation = SimulationSettings(days=3, rows_per_day=2000, seed=5, malformed_share=0.05)
    written = simulate_logs(simulation, tmp_path / "logs")
    run = Ingested(
        IngestSettings.from_spec(load_overridden_spec("short_video", ["histories.warm_up_days=0"])),
        tmp_path / "logs",
        tmp_path / "out",
    )
    assert written.malformed == dict.fromkeys(KINDS, 30)
    assert run.summary.rejected == dict.fromkeys(
        [
            "duplicate",
            "empty_line",
            "line_too_long",
            "malformed",
            "missing_key",
            "not_finite",
            "out_of_range",
            "wrong_encoding",
            "wrong_type",
        ],
        30,
    )
    assert sum(run.summary.examples.values()) == written.usable_rows == 6000 - 270
    run.summary.check(
        IngestSettings.from_spec(load_overridden_spec("short_video", ["histories.warm_up_days=0"]))
    )


def test_every_count_is_a_metric_of_beam(tiny, logs: Path, tmp_path: Path) -> None:
    with (logs / "day0.jsonl").open("a") as file:
        file.write("no json\n")
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.metrics["step/parse/received"] == run.summary.lines == 101
    assert run.metrics["rejected/malformed"] == run.summary.rejected["malformed"] == 1
    for step, counts in run.summary.steps.items():
        assert {
            part: run.metrics.get(f"step/{step}/{part}", 0) for part in counts.model_dump()
        } == counts.model_dump()
    assert {split: run.metrics[f"examples/{split}"] for split in SPLITS} == run.summary.examples


def test_negatives_that_are_sampled_out_are_counted_and_the_rates_recorded(
    tiny, logs: Path, tmp_path: Path
) -> None:
    whole = Ingested(tiny.settings(split__evaluation_days=1), logs, tmp_path / "whole").summary
    run = Ingested(tiny.settings(sampling={"negative_rate": 0.3}), logs, tmp_path / "out")
    sampled_out = run.summary.steps["write"].sampled_out
    assert sampled_out == run.metrics["step/write/sampled_out"] > 10
    assert sum(run.summary.examples.values()) == 100 - sampled_out
    assert run.summary.examples["evaluation"] == whole.examples["evaluation"] == 50
    assert run.summary.differences() == []
    rates = Counter(round(example["negative_rate_of_click"][0], 6) for example in run.features())
    assert rates == {0.3: 50 - sampled_out, 1.0: 50}


def test_labels_and_masks_are_those_the_simulator_drew(tmp_path: Path) -> None:
    simulate_logs(SimulationSettings(days=2, rows_per_day=500, seed=5), tmp_path / "logs")
    run = Ingested(
        IngestSettings.from_spec(load_overridden_spec("short_video", ["histories.warm_up_days=0"])),
        tmp_path / "logs",
        tmp_path / "out",
    )
    assert len(run.features()) == 1000
    _assert_labels_are_true(run, tmp_path / "logs")


def _assert_labels_are_true(run: Ingested, logs: Path) -> None:
    truth = {}
    for path in logs.glob("truth/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            truth[row["request_id"].encode(), row["video_id"].encode()] = row
    features = run.features()
    assert len(features) == len(truth)
    for example in features:
        row = truth[example["request_key"][0], example["item_key"][0]]
        for task in ("vtr", "vcr", "shr", "cmr", "ctr"):
            assert example[f"mask_of_{task}"] == [row[f"mask_of_{task}"]]
            # The truth has labels outside the sample space, too; an example has 0.
            expected = row[f"label_of_{task}"] * row[f"mask_of_{task}"]
            assert example[f"label_of_{task}"] == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_counts_add_up_for_random_logs(tiny, logs: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lines_written = 0
    for day in range(3):
        lines = []
        for number in range(rng.randrange(50, 200)):
            line = json.dumps(tiny.row(1000 * day + number, day)).encode()
            kind = rng.choice([*KINDS, *["whole"] * 15])
            if kind == "duplicate":
                line = rng.choice(lines) if lines else line
            elif kind != "whole":
                line = spoilt_line(line, kind)
            lines.append(line)
        (logs / f"day{day}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        lines_written += len(lines)
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.lines == lines_written
    assert sum(len(run.examples(split)) for split in SPLITS) + len(run.rejected()) == lines_written
    assert Counter(entry["reason"] for entry in run.rejected()) == run.summary.rejected


def test_the_same_logs_give_the_same_bytes_and_a_renamed_file_the_same_examples(
    tiny, logs: Path, tmp_path: Path
) -> None:
    first = Ingested(tiny.settings(), logs, tmp_path / "first")
    again = Ingested(tiny.settings(), logs, tmp_path / "again")
    (logs / "day0.jsonl").rename(logs / "day9.jsonl")
    renamed = Ingested(tiny.settings(), logs, tmp_path / "renamed")
    for split in SPLITS:
        assert first.examples(split) == again.examples(split) == renamed.examples(split)
    assert {path.name: path.read_bytes() for path in (tmp_path / "first" / "train").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "again" / "train").iterdir()
    }


def test_duplicates_are_found_across_files_and_elements(
    tiny, logs: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(arrow_tables, "_ROWS_HELD", 7)
    (logs / "day2.jsonl").write_bytes(
        (logs / "day0.jsonl").read_bytes() + (logs / "day1.jsonl").read_bytes()
    )
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.rejected == {"duplicate": 100}
    assert {(entry["source"], entry["offset"]) for entry in run.rejected()} == {
        ("day2.jsonl", line) for line in range(1, 101)
    }
    assert len(run.features()) == 100


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    texts = [",".join(rows[0])]
    for row in rows:
        cells = ["|".join(cell) if isinstance(cell, list) else str(cell) for cell in row.values()]
        texts.append(",".join(cells))
    content = "\n".join(texts).encode()
    compress = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(content))


@pytest.mark.parametrize(
    ("ending", "source"),
    [
        ("parquet", {"format": "parquet"}),
        ("csv", {"format": "csv"}),
        ("csv.gz", {"format": "csv"}),
        ("csv.bz2", {"format": "csv"}),
    ],
)
def test_every_format_gives_the_same_examples(
    tiny, logs: Path, tmp_path: Path, ending: str, source: dict[str, Any]
) -> None:
    expected = Ingested(tiny.settings(), logs, tmp_path / "jsonl").features()
    for path in sorted(logs.glob("day*")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        (_write_parquet if ending == "parquet" else _write_csv)(
            path.with_suffix(f".{ending}"), rows
        )
    settings = tiny.settings(
        logs__exposures={"path": "day*", **source},
        fields__recent={"side": "user", "kind": "sequence", "shares": "item", "separator": "|"},
    )
    received = Ingested(settings, logs, tmp_path / "out").features()
    by_request = lambda example: example["request_key"]  # noqa: E731
    assert sorted(received, key=by_request) == sorted(expected, key=by_request)


def test_a_truncated_file_is_used_as_far_as_it_goes_and_named(
    tiny, logs: Path, tmp_path: Path
) -> None:
    stored = gzip.compress((logs / "day1.jsonl").read_bytes())
    (logs / "day1.jsonl").unlink()
    (logs / "day1.jsonl.gz").write_bytes(stored[:-40])
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.unreadable_files == ["day1.jsonl.gz"]
    assert run.summary.rejected == {"unreadable": 1}
    assert sum(run.summary.examples.values()) == run.summary.lines - 1 > 60


def test_a_stray_clock_does_not_take_the_evaluation(tiny, logs: Path, tmp_path: Path) -> None:
    for day in range(2):
        tiny.write(
            logs / f"day{day}.jsonl", [tiny.row(1000 * day + number, day) for number in range(600)]
        )
    tiny.write(logs / "day2.jsonl", [tiny.row(5000, day=47_482)])
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.rejected == {"stray_event_time": 1}
    assert run.summary.examples["evaluation"] == 600
    assert [str(day) for day in run.summary.evaluation_days] == ["1970-01-02"]


def test_days_begin_in_the_specs_time_zone(tiny, logs: Path, tmp_path: Path) -> None:
    # The last of the 50 exposures of the first day is at 49 s; in Honolulu all of a day's exposures
    # belong to the day before.
    event_time = {"column": "time_s", "unit": "s", "timezone": "Pacific/Honolulu"}
    run = Ingested(tiny.settings(keys__event_time=event_time), logs, tmp_path / "out")
    assert [str(day) for day in run.summary.records_of_day] == ["1969-12-31", "1970-01-01"]
    assert run.summary.examples["evaluation"] == 50


def test_a_side_table_that_is_partly_unusable_is_reported_apart(
    tiny, logs: Path, tmp_path: Path
) -> None:
    with (logs / "users.jsonl").open("a") as file:
        file.write("no json\n")
    run = Ingested(tiny.settings(), logs, tmp_path / "out")
    assert run.summary.rejected == {}
    assert run.summary.tables["users"].rejected == {"malformed": 1}
    assert [(entry["source"], entry["offset"]) for entry in run.rejected()] == [("users.jsonl", 4)]


def test_shards_grow_with_the_size_of_the_log() -> None:
    from pipeline.ingest.beam_ingestion import shard_count
    from pipeline.ingest.sources.files import LogFile

    assert shard_count([LogFile("a.gz", "a.gz", 1000)]) == 4
    assert shard_count([LogFile("a.gz", "a.gz", 400_000_000)]) == 100
    assert shard_count([LogFile("a.csv", "a.csv", 3_200_000_000)]) == 100


def test_event_logs_give_the_labels_the_simulator_drew_and_account_for_every_fault(
    tmp_path: Path,
) -> None:
    simulation = SimulationSettings(
        days=2, rows_per_day=1000, seed=5, malformed_share=0.1, event_logs=True
    )
    written = simulate_logs(simulation, tmp_path / "logs")
    settings = IngestSettings.from_spec(
        load_overridden_spec("short_video_events", ["histories.warm_up_days=0"])
    )
    run = Ingested(settings, tmp_path / "logs", tmp_path / "out")
    reason_of = {
        "cut_line": "malformed", "missing_key": "missing_key", "negative_duration": "out_of_range", "empty": "empty_line",
        "wrong_encoding": "wrong_encoding", "huge_line": "line_too_long", "duplicate": "duplicate",
        "late": "late_action", "orphan": "orphan_action",
    }  # fmt: skip
    faults: dict[str, Counter[str]] = {"": Counter(), "action_": Counter()}
    for kind, count in written.malformed.items():
        log = "action_" if kind.startswith("action_") else ""
        faults[log][reason_of[kind.removeprefix(log)]] += count
    assert run.summary.actions is not None
    assert min(faults[""].values()) > 20
    assert (run.summary.rejected, run.summary.actions.rejected) == (faults[""], faults["action_"])
    assert run.summary.differences() == []
    assert sum(run.summary.examples.values()) == written.usable_rows == 2000
    _assert_labels_are_true(run, tmp_path / "logs")


def test_the_same_event_logs_in_other_files_give_the_same_examples(
    tmp_path: Path, monkeypatch
) -> None:
    simulate_logs(SimulationSettings(days=2, rows_per_day=300, event_logs=True), tmp_path / "logs")
    settings = IngestSettings.from_spec(
        load_overridden_spec("short_video_events", ["histories.warm_up_days=0"])
    )
    first = Ingested(settings, tmp_path / "logs", tmp_path / "first")
    for path in sorted((tmp_path / "logs").glob("*/day=*/*.gz")):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        random.Random(1).shuffle(lines)
        path.write_bytes(gzip.compress(b"".join(lines[:100])))
        path.with_name("part-1.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[100:])))
    monkeypatch.setattr(arrow_tables, "_ROWS_HELD", 50)
    again = Ingested(settings, tmp_path / "logs", tmp_path / "again")
    for split in SPLITS:
        assert first.examples(split) == again.examples(split)


def test_values_at_the_edges_are_exact_or_counted(tiny, logs: Path, tmp_path: Path) -> None:
    rows = [tiny.row(1000 + number, 1, revenue=3e38) for number in range(60)]
    rows += [
        tiny.row(2000, 1, item_id="two\nlines"),
        tiny.row(2001, 1, item_id=2.0**53),
        tiny.row(2002, 1, price="1_000"),
        tiny.row(2003, 1, price=-99),
    ]
    tiny.write(logs / "day2.jsonl", rows)
    with (logs / "day2.jsonl").open("a") as file:
        twin = json.dumps(tiny.row(2004, 1))
        file.write(twin[:-1] + ', "price": 7}\n')
    spend = {
        "kind": "regression",
        "label": {"rule": "column", "column": "revenue"},
        "metric": "mse",
        "threshold": 0.5,
        "tolerance": 0.1,
    }
    settings = tiny.settings(tasks__spend=spend, logs__missing_values=["", "-99.0"])
    run = Ingested(settings, logs, tmp_path / "out")
    run.summary.check(settings)
    assert run.summary.differences() == []
    assert {entry["offset"]: entry["reason"] for entry in run.rejected()} == {
        62: "wrong_type",
        63: "wrong_type",
        65: "malformed",
    }
    assert run.summary.line_breaks == {"item": 1}
    spent = [part for part in run.summary.tasks["spend"].values() if part.examples]
    assert sum(part.examples for part in spent) == 60
    assert [part.label_mean for part in spent] == pytest.approx([3e38] * len(spent))
    clicks = run.summary.tasks["click"].values()
    assert all(part.positives + part.negatives == part.examples for part in clicks)


@pytest.mark.parametrize("typed", ["nice\nr9,u9,i9,86500,7,1,x\nbye", '"\nr9,u9,i9,86500,7,1,x\n'])
def test_a_text_of_several_lines_becomes_no_example(
    tiny, logs: Path, tmp_path: Path, typed: str
) -> None:
    names = ["request_id", "user_id", "item_id", "time_s", "price", "clicked", "comment"]
    rows = [tiny.row(number, number % 2) | {"comment": "ok"} for number in range(40)]
    rows.append(tiny.row(41, 1) | {"comment": typed})
    for path in logs.glob("day*"):
        path.unlink()
    with (logs / "day.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in rows)
    settings = tiny.settings(
        logs__exposures={"path": "day*", "format": "csv"},
        fields__recent=None,
        tasks__watch=None,
    )
    run = Ingested(settings, logs, tmp_path / "out")
    run.summary.check(settings)
    assert (run.summary.lines, run.summary.rejected) == (41, {})
    assert {one["request_key"][0] for one in run.features()} == {
        row["request_id"].encode() for row in rows
    }
