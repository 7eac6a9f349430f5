"""Simulated logs as files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from feature_spec.loading import load_spec
from pipeline.simulator.best_metrics import METRICS
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings

SMALL = SimulationSettings(days=3, rows_per_day=500, seed=7)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def _exposures(folder: Path) -> list[dict[str, object]]:
    return [record for path in sorted(folder.glob("day=*/*.jsonl.gz")) for record in _records(path)]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    simulate_logs(SMALL, folder)
    return folder


def test_equal_settings_give_equal_bytes(logs: Path, tmp_path: Path) -> None:
    simulate_logs(SMALL, tmp_path)
    assert _files(tmp_path) == _files(logs)


def test_another_seed_gives_other_logs(logs: Path, tmp_path: Path) -> None:
    simulate_logs(SimulationSettings(days=3, rows_per_day=500, seed=8), tmp_path)
    assert _exposures(tmp_path) != _exposures(logs)


def test_the_same_simulation_again_leaves_its_files_untouched(logs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in logs.rglob("*") if path.is_file()}
    simulate_logs(SMALL, logs)
    assert {path: path.stat().st_mtime_ns for path in logs.rglob("*") if path.is_file()} == before


def test_each_day_has_the_rows_asked_for(logs: Path) -> None:
    assert [len(_records(path)) for path in sorted(logs.glob("day=*/*.jsonl.gz"))] == [
        500,
        500,
        500,
    ]


def test_every_column_of_the_ready_spec_occurs(logs: Path) -> None:
    spec = load_spec("short_video")
    seen = {None: set().union(*_exposures(logs))}
    for table, source in spec.logs.tables.items():
        seen[table] = set().union(*_records(logs / source.path[0]))
    missing = [
        name
        for name, field in spec.fields.items()
        if field.history is None and (field.column or name) not in seen[field.table]
    ]
    assert not missing


def test_the_simulated_tasks_are_those_of_the_ready_spec() -> None:
    assert {name: task.metric for name, task in load_spec("short_video").tasks.items()} == METRICS


def test_a_request_shows_each_video_once(logs: Path) -> None:
    pairs = [(record["request_id"], record["video_id"]) for record in _exposures(logs)]
    assert len(set(pairs)) == len(pairs)


def test_recent_videos_come_from_earlier_requests_of_the_same_user(logs: Path) -> None:
    watched: dict[object, set[object]] = {}
    pending: list[tuple[object, object]] = []
    request = None
    for record in _exposures(logs):
        if record["request_id"] != request:
            for user, video in pending:
                watched.setdefault(user, set()).add(video)
            request, pending = record["request_id"], []
        assert set(record.get("recent_videos", [])) <= watched.get(record["user_id"], set())
        if record["play_s"] >= 5:
            pending.append((record["user_id"], record["video_id"]))


def test_popularity_is_skewed(logs: Path) -> None:
    videos = [record["video_id"] for record in _exposures(logs)]
    counts = sorted((videos.count(video) for video in set(videos)), reverse=True)
    # Of 100 videos the ten most popular take far more than their tenth.
    assert sum(counts[:10]) > 0.25 * len(videos)


def test_some_values_are_missing_but_no_key(logs: Path) -> None:
    records = _exposures(logs)
    assert any("duration_s" not in record for record in records)
    assert all(
        {"request_id", "user_id", "video_id", "time_ms"} <= record.keys() for record in records
    )


def test_the_truth_has_each_usable_row_once(tmp_path: Path) -> None:
    summary = simulate_logs(
        SimulationSettings(days=2, rows_per_day=1000, seed=1, malformed_share=0.1), tmp_path
    )
    rows = [pq.read_metadata(path).num_rows for path in tmp_path.glob("truth/*.parquet")]
    # 200 spoilt lines, of which the 20 with an unknown column stay usable.
    assert sum(summary.malformed.values()) == 200
    assert summary.usable_rows == sum(rows) == 2000 - 180


def test_the_best_metrics_beat_chance_for_every_task(tmp_path: Path) -> None:
    best = simulate_logs(
        SimulationSettings(days=2, rows_per_day=5000, seed=1), tmp_path
    ).best_metrics["all"]
    assert all(best[task] > 0.7 for task in ("vtr", "shr", "cmr", "ctr"))
    assert best["vcr"] < 0.12


def test_one_row_a_day_is_enough(tmp_path: Path) -> None:
    summary = simulate_logs(
        SimulationSettings(days=2, rows_per_day=1, malformed_share=0.5), tmp_path
    )
    assert (summary.rows, summary.usable_rows) == (2, 2)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "day=2025-01-01").mkdir()
    with pytest.raises(ValueError, match="day=2025-01-01"):
        simulate_logs(SMALL, tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("days", 1),
        ("rows_per_day", 0),
        ("seed", -1),
        ("malformed_share", 1.0),
        ("malformed_share", -0.1),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{setting}`.*Received: {value}"):
        SimulationSettings(**{setting: value})
