"""The component in a TFX pipeline: artifact, cache and errors."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
keys: {user: user_id, event_time: {column: time_s, unit: s}}
logs:
  exposures: {path: "day*.jsonl", format: jsonl}
  tables:
    users: {path: users.jsonl, format: jsonl, key: user_id}
split: {evaluation_days: 1, validation_share: 0.3}
fields:
  region: {side: user, kind: categorical, table: users}
  price: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""


def _spec(**changes: Any) -> FeatureSpec:
    spec = yaml.safe_load(SPEC)
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = spec
        for parent in parents:
            part = part[parent]
        part[last] = value
    return parse_spec(json.dumps(spec))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in range(2):
        rows = [
            {
                "user_id": f"u{row % 3}",
                "time_s": 86_400 * day + row,
                "clicked": row % 2,
                "price": row,
            }
            for row in range(30)
        ]
        (folder / f"day{day}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "users.jsonl").write_text(
        "".join(json.dumps({"user_id": f"u{row}", "region": "north"}) + "\n" for row in range(2))
    )
    return folder


def _run(spec: FeatureSpec, logs: Path, root: Path, day: datetime.date | None = None) -> list[Path]:
    """Runs a pipeline of the one component; returns the folders of all examples made so far."""
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local import local_dag_runner

    from pipeline.commands.run_options import beam_arguments
    from pipeline.ingest.component import LogsExampleGen

    local_dag_runner.LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(root),
            components=[LogsExampleGen(spec, str(logs), day)],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(root / "metadata.sqlite")
            ),
            beam_pipeline_args=beam_arguments([]),
        )
    )
    return sorted((root / "LogsExampleGen" / "examples").glob("*"))


def test_the_artifact_has_the_three_splits_a_summary_and_the_rejected_lines(
    logs: Path, tmp_path: Path
) -> None:
    with (logs / "day0.jsonl").open("a") as file:
        file.write("no json\n")
    (folder,) = _run(_spec(), logs, tmp_path / "root")
    assert {path.name for path in folder.iterdir()} == {
        "Split-train", "Split-validation", "Split-evaluation", "ingest_summary.json", "rejected",
    }  # fmt: skip
    summary = json.loads((folder / "ingest_summary.json").read_text())
    assert summary["lines"] - 1 == sum(summary["examples"].values()) == 60
    assert summary["examples"]["evaluation"] == 30
    assert summary["tables"]["users"]["examples_without_row"] == 20


def test_ml_metadata_has_the_totals_of_the_summary(logs: Path, tmp_path: Path) -> None:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from tfx.orchestration import metadata

    with (logs / "day0.jsonl").open("a") as file:
        file.write("no json\n")
    _run(_spec(), logs, tmp_path / "root")
    store = MetadataStore(
        metadata.sqlite_metadata_connection_config(str(tmp_path / "root" / "metadata.sqlite"))
    )
    [examples] = store.get_artifacts_by_type("Examples")
    counts = {
        name: examples.custom_properties[name].int_value
        for name in ("lines", "examples", "rejected", "sampled_out")
    }
    # Two days of 30 rows, and a line that is no record.
    assert counts == {"lines": 61, "examples": 60, "rejected": 1, "sampled_out": 0}


def test_a_spec_changed_in_what_ingestion_does_not_depend_on_reuses_the_examples(
    logs: Path, tmp_path: Path
) -> None:
    _run(_spec(), logs, tmp_path / "root")
    for change in (
        {"tasks__click__tolerance": 0.2},
        {"fields__price__transform": "quantiles"},
        {"trainer": {"epochs": 3}},
    ):
        assert len(_run(_spec(**change), logs, tmp_path / "root")) == 1, change


def test_a_spec_changed_in_what_ingestion_depends_on_ingests_again(
    logs: Path, tmp_path: Path
) -> None:
    _run(_spec(), logs, tmp_path / "root")
    changes = (
        {"fields__price__minimum": 0.0},
        {"tasks__click__sample_space": {"event": "price"}},
        {"logs__deduplicate": False},
    )
    for runs, change in enumerate(changes, start=2):
        assert len(_run(_spec(**change), logs, tmp_path / "root")) == runs, change


def test_a_changed_file_of_the_log_or_of_a_side_table_ingests_again(
    logs: Path, tmp_path: Path
) -> None:
    _run(_spec(), logs, tmp_path / "root")
    for runs, changed in enumerate(["day1.jsonl", "users.jsonl"], start=2):
        stat = (logs / changed).stat()
        os.utime(logs / changed, (stat.st_atime, stat.st_mtime + 2))
        assert len(_run(_spec(), logs, tmp_path / "root")) == runs, changed


def test_too_many_rejected_lines_stop_the_run_with_counts_and_examples(
    logs: Path, tmp_path: Path
) -> None:
    (logs / "day2.jsonl").write_text("no json\n" * 10 + '{"user_id": "u1", "time_s": "late"}\n')
    # 11 of 71 lines are 15.5 %.
    with pytest.raises(
        ValueError, match=r"11 of the log's 71 lines were rejected, 15\.5%"
    ) as raised:
        _run(_spec(), logs, tmp_path / "root")
    assert "malformed 10, bad_event_time 1" in str(raised.value)
    assert "day2.jsonl, line 1: malformed: not JSON" in str(raised.value)


def test_rejected_lines_outlive_the_run_that_they_stopped(logs: Path, tmp_path: Path) -> None:
    (logs / "day2.jsonl").write_text("no json\n" * 11)
    for run in (1, 2):
        with pytest.raises(ValueError, match="all of them: ") as raised:
            _run(_spec(), logs, tmp_path / "root")
        kept = Path(str(raised.value).split("all of them: ")[1].splitlines()[0])
        assert sum(pq.read_metadata(path).num_rows for path in kept.glob("*.parquet")) == 11, run


def test_a_mended_file_is_ingested_once(logs: Path, tmp_path: Path) -> None:
    whole = (logs / "day1.jsonl").read_text()
    (logs / "day1.jsonl").write_text("no json\n" * 11 + whole)
    with pytest.raises(ValueError, match="all of them: "):
        _run(_spec(), logs, tmp_path / "root")
    (logs / "day1.jsonl").write_text(whole)
    [examples] = [path for path in _run(_spec(), logs, tmp_path / "root") if path.name.isdecimal()]
    summary = json.loads((examples / "ingest_summary.json").read_text())
    assert (summary["lines"], sum(summary["examples"].values()), summary["rejected"]) == (
        60,
        60,
        {},
    )


def test_a_column_that_no_line_has_stops_the_run_before_it_starts(
    logs: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match="fields.price: no column 'pricy' in day.*did you mean 'price'"
    ):
        _run(_spec(fields__price__column="pricy"), logs, tmp_path / "root")


def test_a_day_of_a_table_is_ingested_once_and_another_day_anew(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apache_beam as beam

    read = []

    def rows(source: Any) -> Any:
        read.append(source.table)
        return beam.Create(
            [
                {
                    "user_id": "u0",
                    "region": "north",
                    "time_s": 86_400 * len(read) + row,
                    "clicked": 1,
                    "price": row,
                }
                for row in range(30)
            ]
        )

    monkeypatch.setattr("pipeline.ingest.sources.bigquery.read_from_bigquery", rows)
    table = {"bigquery": {"table": "acme.logs.shown_{day:%Y%m%d}", "method": "DIRECT_READ"}}
    spec = _spec(
        logs__exposures=table,
        logs__tables={},
        fields__region={"side": "user", "kind": "categorical"},
    )
    for day in (2, 2, 3):
        _run(spec, logs, tmp_path / "root", datetime.date(1970, 1, day))
    assert read == ["acme.logs.shown_19700102", "acme.logs.shown_19700103"]


def test_a_day_of_event_logs_is_ingested_again_when_the_logs_of_the_next_day_arrive(
    tmp_path: Path,
) -> None:
    spec = _spec(
        keys={"user": "user_id", "item": "item_id", "event_time": {"column": "time_s", "unit": "s"}},
        logs={
            "impressions": {"path": "shown/{day}.jsonl", "format": "jsonl"},
            "actions": {
                "path": "done/{day}.jsonl", "format": "jsonl", "kind": "kind", "event_time": {"column": "time_s", "unit": "s"},
                "join_by": "user", "window_s": 3600, "folds": {"clicked": {"action": "click", "fold": "any"}},
            },
        },
        fields={"price": {"side": "item", "kind": "numeric"}},
    )  # fmt: skip
    logs, root = tmp_path / "logs", tmp_path / "root"
    first, last_s = datetime.date(1970, 1, 1), 86_399

    def write(log: str, day: datetime.date, events: list[dict[str, Any]]) -> None:
        (logs / log).mkdir(parents=True, exist_ok=True)
        (logs / log / f"{day}.jsonl").write_text(
            "".join(json.dumps(event) + "\n" for event in events)
        )

    def clicks() -> float:
        summary = json.loads(
            (_run(spec, logs, root, first)[-1] / "ingest_summary.json").read_text()
        )
        counts = [summary["tasks"]["click"][split] for split in ("train", "validation")]
        return round(sum(part["examples"] * part["label_mean"] for part in counts))

    shown = [
        {"user_id": f"u{row}", "item_id": "a", "time_s": last_s, "price": row} for row in range(30)
    ]
    write("shown", first, shown)
    write("done", first, [{"user_id": "u1", "item_id": "a", "time_s": last_s, "kind": "click"}])
    assert [clicks(), clicks()] == [1, 1]
    assert len(_run(spec, logs, root, first)) == 1
    second = first + datetime.timedelta(days=1)
    write("shown", second, [shown[0] | {"time_s": last_s + 100}])
    write(
        "done", second, [{"user_id": "u2", "item_id": "a", "time_s": last_s + 200, "kind": "click"}]
    )
    assert [clicks(), clicks()] == [2, 2]
    assert len(_run(spec, logs, root, first)) == 2
    # Beyond the window, nothing changes.
    write("shown", second + datetime.timedelta(days=1), shown)
    assert len(_run(spec, logs, root, first)) == 2


def test_an_empty_day_is_an_artifact_whose_splits_can_be_read(logs: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    (logs / "day1970-01-05.jsonl").write_text("")
    spec = _spec(logs__exposures={"path": "day{day}.jsonl", "format": "jsonl"})
    (folder,) = _run(spec, logs, tmp_path / "root", datetime.date(1970, 1, 5))
    for split in ("train", "validation"):
        files = [str(path) for path in (folder / f"Split-{split}").iterdir()]
        assert list(tf.data.TFRecordDataset(files, compression_type="GZIP")) == []
    summary = json.loads((folder / "ingest_summary.json").read_text())
    assert (summary["lines"], summary["lines_of_day"]) == (0, {"1970-01-05": 0})
