"""A look counts what an ingestion counts, and tells what it read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_spec.loading import load_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.log_look.looking import Findings, findings
from pipeline.log_look.vocabularies import EmbeddingTable, embedding_tables
from tests.pipeline.ingest.conftest import Tiny
from tests.pipeline.ingest.ingested import Ingested
from tests.pipeline.log_look.conftest import spec_of

Looked = Callable[..., Findings]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_look_at_whole_logs_has_the_summary_of_their_ingestion(
    looked: Looked, logs: Path, tmp_path: Path
) -> None:
    with (logs / "day0.jsonl").open("a") as file:
        file.write("no line\n")
        file.write(json.dumps(Tiny.row(7)) + "\n")  # a duplicate
        file.write(json.dumps(Tiny.row(70, price=-1)) + "\n")
    changes = {"sampling": {"negative_rate": 0.5}}
    look = looked(**changes).look
    settings = IngestSettings.from_spec(spec_of(**changes))
    ingested = Ingested(settings, logs, tmp_path / "out").summary
    assert look is not None
    assert look.is_whole
    assert look.summary.model_dump() == ingested.model_dump()
    assert look.summary.rejected == {"duplicate": 1, "malformed": 1, "out_of_range": 1}


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_look_at_whole_event_logs_has_the_summary_of_their_ingestion(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fulcrum import cli

    logs = tmp_path / "logs"
    CliRunner().invoke(
        cli.app,
        ["simulate", "--out", str(logs), "--days", "3", "--rows-per-day", "300", "--event-logs"],
        catch_exceptions=False,
    )
    spec = load_spec("short_video_events")
    look = findings(spec, str(logs), 10_000).look
    ingested = Ingested(IngestSettings.from_spec(spec), logs, tmp_path / "out").summary
    assert look is not None
    assert look.summary.model_dump(exclude={"histories"}) == ingested.model_dump(
        exclude={"histories"}
    )


def test_event_logs_that_are_not_read_whole_are_not_joined(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fulcrum import cli

    logs = tmp_path / "logs"
    CliRunner().invoke(
        cli.app,
        ["simulate", "--out", str(logs), "--days", "3", "--rows-per-day", "3000", "--event-logs"],
        catch_exceptions=False,
    )
    found = findings(load_spec("short_video_events"), str(logs), 300)
    assert found.look is not None
    assert not found.look.has_labels
    assert not found.failures


def test_the_keys_of_a_table_are_matched(looked: Looked) -> None:
    # Of users 0, 1 and 2 of 100 exposures in two times 50, the table lacks user 2: of numbers 0 to
    # 49 these are 2, 5, … 47, which are 16, and of 100 to 149 101, … 149, which are 17.
    look = looked().look
    assert look is not None
    match = look.matches["users"]
    assert (match.rows, match.matched) == (100, 100 - 16 - 17)
    assert (match.of_log, match.of_table) == (["u2"], ["u0", "u1"])
    assert look.summary.tables["users"].examples_without_row == 33


def test_vocabularies_of_whole_logs_are_those_that_training_will_have(looked: Looked) -> None:
    # Day 0 trains and is split by hash; each item occurs 7 or 8 times on it.
    found = looked(split__validation_share=0.01)
    assert found.look is not None
    item = found.look.vocabularies["item"]
    assert (item.values, item.kept, item.min_count, item.presence) == (7, 7, 1, 1.0)
    region = found.look.vocabularies["region"]  # only user 0 of three has one
    assert region.values == 1
    assert region.presence == pytest.approx(1 / 3, abs=0.05)


def test_the_rows_of_a_table_are_those_of_its_fields_and_the_reserved_ones(looked: Looked) -> None:
    spec = spec_of(split__validation_share=0.01)
    found = looked(split__validation_share=0.01)
    assert found.look is not None
    # Items 7 and regions 1; for each field a row for missing values and one for unknown ones.
    tables = embedding_tables(spec, found.look.vocabularies)
    assert tables == [EmbeddingTable(16, 7 + 1 + 2 * 2)]
    assert tables[0].bytes_in_training == 12 * 16 * 4 * 2


@pytest.mark.parametrize(
    ("model", "a_task"),
    [
        ({"name": "stem", "task_width": 3}, 3),
        ({"name": "stem", "task_fields": ["item"], "task_width": None}, 16),
        ({"name": "single_task"}, None),
    ],
)
def test_rows_are_as_wide_as_the_tables_of_all_tasks(
    looked: Looked, model: dict[str, object], a_task: int | None
) -> None:
    spec = spec_of(split__validation_share=0.01, model=model)
    found = looked(split__validation_share=0.01)
    assert found.look is not None
    [table] = embedding_tables(spec, found.look.vocabularies)
    tasks = len(spec.tasks)
    # Beside the shared table of width 16, or in place of it.
    assert table.width == (16 * tasks if a_task is None else 16 + a_task * tasks)


def test_a_part_of_the_event_time_has_as_many_values_as_there_are(looked: Looked) -> None:
    hour = {"side": "context", "kind": "categorical", "from": "event_time", "part": "hour"}
    found = looked(fields__hour=hour)
    assert found.look is not None
    assert found.look.vocabularies["hour"].values == 24


def test_a_sample_says_so(looked: Looked, logs: Path) -> None:
    for day in range(2):
        Tiny.write(
            logs / f"day{day}.jsonl", [Tiny.row(10**6 * day + n, day) for n in range(20_000)]
        )
    found = looked(lines=2_000)
    assert found.look is not None
    shown = found.look.sources[None]
    assert not found.look.is_whole
    assert 1_500 < shown.lines < 3_000
    assert shown.about_lines == pytest.approx(40_000, rel=0.05)
    # Half of them are clicked.
    click = found.look.summary.tasks["click"]["evaluation"]
    assert click.positives is not None
    assert click.positives == pytest.approx(click.examples / 2, rel=0.1)
