"""Event logs that are ingested day by day: what happens on both sides of midnight belongs together."""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feature_spec.names import EVENT_TIME, SPLITS, TRAIN, VALIDATION, label_name
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from pipeline.spans.window_summary import window_summary
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

FIRST = datetime.date(1970, 1, 1)
DAY_S = 86_400
TIME = re.compile(rb'"time_ms":(\d{13})')
FOLDERS = {"impressions": "shown", "actions": "done"}
LOGS = {
    "impressions": {"path": "shown/{day}.jsonl", "format": "jsonl", "event_id": "id"},
    "actions": {
        "path": "done/{day}.jsonl", "format": "jsonl", "event_id": "id", "kind": "kind",
        "event_time": {"column": "time_s", "unit": "s"}, "join_by": "user", "window_s": 3600,
        "folds": {"clicked": {"action": "click", "fold": "any"}, "shares": {"action": "share", "fold": "count"}},
    },
}  # fmt: skip
TASK = {"kind": "binary", "metric": "auc", "threshold": 0.5, "tolerance": 0.1}
CHANGES = {
    "logs": LOGS,
    "fields": {"item": {"side": "item", "kind": "categorical", "column": "item_id"}},
    "tasks": {
        "click": {**TASK, "label": {"rule": "event", "column": "clicked"}},
        "share": {
            **TASK,
            "kind": "regression",
            "metric": "mse",
            "label": {"rule": "column", "column": "shares"},
        },
    },
    "ranking_formula": {"weights": {"click": 1.0}},
}


def day(number: int) -> datetime.date:
    return FIRST + datetime.timedelta(days=number)


def impression(number: int, time_s: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"i{number}",
        "request_id": f"r{number}",
        "user_id": "u",
        "item_id": "a",
        "time_s": time_s,
    } | changes


def action(number: int, kind: str, time_s: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"a{number}",
        "user_id": "u",
        "item_id": "a",
        "time_s": time_s,
        "kind": kind,
    } | changes


def write(
    logs: Path, shown: list[dict[str, Any]], done: list[dict[str, Any]], days: int = 3
) -> Path:
    """Each event into the file of its day, of which there are `days`, each with an impression at noon, `view`ed at once."""
    noons = [(number, number * DAY_S + DAY_S // 2) for number in range(days)]
    shown = [*shown, *(impression(-1 - number, noon, user_id="noon") for number, noon in noons)]
    done = [*done, *(action(-1 - number, "view", noon, user_id="noon") for number, noon in noons)]
    for folder, events in (("shown", shown), ("done", done)):
        (logs / folder).mkdir(parents=True)
        for number in range(days):
            lines = [
                json.dumps(event) + "\n" for event in events if event["time_s"] // DAY_S == number
            ]
            (logs / folder / f"{day(number)}.jsonl").write_text("".join(lines), encoding="utf-8")
    return logs


def labels(run: Ingested) -> dict[int, tuple[float, float]]:
    """The labels of each example but those of noon, click and share, by its time in seconds."""
    return {
        example[EVENT_TIME][0] // 1_000_000: (
            example[label_name("click")][0],
            example[label_name("share")][0],
        )
        for example in run.features()
        if example["user_key"] != [b"noon"]
    }


def test_an_action_after_midnight_counts_for_its_impression_before_midnight(
    tiny, tmp_path: Path
) -> None:
    shown = [impression(1, DAY_S - 10), impression(2, DAY_S + 100, item_id="b")]
    logs = write(
        tmp_path / "logs",
        shown,
        [action(1, "click", DAY_S + 5), action(2, "share", DAY_S + 110, item_id="b")],
    )
    before = Ingested(tiny.settings(day(0), **CHANGES), logs, tmp_path / "before")
    after = Ingested(tiny.settings(day(1), **CHANGES), logs, tmp_path / "after")
    assert labels(before) == {DAY_S - 10: (1.0, 0.0)}
    assert labels(after) == {DAY_S + 100: (0.0, 1.0)}
    for run, joined in ((before, "click"), (after, "share")):
        assert run.summary.actions is not None
        assert run.summary.actions.rejected == {}
        assert run.summary.actions.joined == {joined: 1, "view": 1}
        assert run.summary.differences() == []


def test_while_the_day_after_has_no_logs_a_day_has_the_labels_that_are_known(
    tiny, tmp_path: Path
) -> None:
    logs = write(
        tmp_path / "logs", [impression(1, DAY_S - 10)], [action(1, "click", DAY_S - 5)], days=1
    )
    run = Ingested(tiny.settings(day(0), **CHANGES), logs, tmp_path / "out")
    assert labels(run) == {DAY_S - 10: (1.0, 0.0)}


def test_a_line_that_is_broken_or_an_orphan_is_rejected_by_the_ingestion_of_its_own_day(
    tiny, tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", [], [action(1, "click", DAY_S + 5)])
    for log in ("shown", "done"):
        with (logs / log / f"{day(1)}.jsonl").open("a") as file:
            file.write("no json\n")
    runs = [
        Ingested(tiny.settings(day(number), **CHANGES), logs, tmp_path / f"out{number}")
        for number in range(3)
    ]
    assert [run.summary.rejected for run in runs] == [{}, {"malformed": 1}, {}]
    assert [run.summary.actions.rejected for run in runs if run.summary.actions] == [
        {},
        {"malformed": 1, "orphan_action": 1},
        {},
    ]
    # Of day 1, an action at noon, one that is an orphan and the broken line; of day 2 the one at
    # noon, of no interest to day 0.
    first = runs[0].summary.actions
    assert first is not None
    assert (first.lines, first.lines_of_other_days) == (1, 3)
    assert {name: step.of_other_days for name, step in first.steps.items()} == {
        "parse_actions": 2, "deduplicate_actions": 0, "join_actions": 1,
    }  # fmt: skip
    assert [run.summary.differences() for run in runs] == [[], [], []]


def test_days_may_be_folders_of_hours(tiny, tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", [impression(1, DAY_S - 10)], [action(1, "click", DAY_S + 5)])
    for log, number in itertools.product(("shown", "done"), range(3)):
        lines = (logs / log / f"{day(number)}.jsonl").read_text().splitlines(keepends=True)
        for line in lines:
            hour = (
                logs
                / log
                / f"{day(number):%Y/%m/%d}"
                / f"hour={json.loads(line)['time_s'] % DAY_S // 3600:02}"
            )
            hour.mkdir(parents=True, exist_ok=True)
            (hour / "part.jsonl").write_text(line)
    by_hour = {
        name: {**LOGS[name], "path": f"{folder}/{{day:%Y/%m/%d}}/hour=*/*.jsonl"}
        for name, folder in FOLDERS.items()
    }
    run = Ingested(tiny.settings(day(0), **CHANGES | {"logs": by_hour}), logs, tmp_path / "out")
    assert labels(run) == {DAY_S - 10: (1.0, 0.0)}
    assert run.summary.lines == 2


def test_actions_of_all_days_in_one_file_are_those_of_the_day_that_their_times_tell(
    tiny, tmp_path: Path
) -> None:
    done = [action(1, "click", DAY_S + 5), action(2, "click", DAY_S + 7, item_id="unknown")]
    logs = write(tmp_path / "logs", [impression(1, DAY_S - 10)], done)
    together = "".join((logs / "done" / f"{day(number)}.jsonl").read_text() for number in range(3))
    (logs / "done.jsonl").write_text(together)
    changes = CHANGES | {"logs": {**LOGS, "actions": {**LOGS["actions"], "path": "done.jsonl"}}}
    runs = [
        Ingested(tiny.settings(day(number), **changes), logs, tmp_path / f"out{number}")
        for number in range(3)
    ]
    assert labels(runs[0]) == {DAY_S - 10: (1.0, 0.0)}
    assert [run.summary.actions.rejected for run in runs if run.summary.actions] == [
        {},
        {"orphan_action": 1},
        {},
    ]
    assert [run.summary.actions.joined for run in runs if run.summary.actions] == [
        {"click": 1, "view": 1},
        {"view": 1},
        {"view": 1},
    ]


def test_simulated_days_ingested_one_by_one_have_together_all_examples_and_faults(
    tmp_path: Path,
) -> None:
    # Midnight in Tokyo is in the afternoon of the simulation, when users are busy.
    zone = "Asia/Tokyo"
    written = simulate_logs(
        SimulationSettings(days=2, rows_per_day=500, malformed_share=0.1, event_logs=True),
        tmp_path / "sim",
    )
    days = file_by_day(tmp_path / "sim", tmp_path / "logs", ZoneInfo(zone))
    spec = load_overridden_spec(
        "short_video_events", [f"keys.event_time.timezone={zone}", "histories=null"]
    )
    runs = [
        Ingested(IngestSettings.from_spec(spec, one), tmp_path / "logs", tmp_path / f"out-{one}")
        for one in days
    ]
    whole = Ingested(IngestSettings.from_spec(spec), tmp_path / "logs", tmp_path / "whole")
    assert [run.summary.differences() for run in runs] == [[], [], []]
    assert sum((Counter(run.summary.rejected) for run in runs), Counter()) == whole.summary.rejected
    together, at_once = (
        window_summary([run.summary for run in runs[:-1]], runs[-1].summary, days[-1]).actions,
        whole.summary.actions,
    )
    assert together is not None
    assert at_once is not None
    assert (together.lines, together.joined) == (at_once.lines, at_once.joined)
    assert unattributed_together(together.rejected) == unattributed_together(at_once.rejected)
    examples = [
        example for run in runs for split in (TRAIN, VALIDATION) for example in run.examples(split)
    ]
    assert sorted(examples) == sorted(
        example for split in SPLITS for example in whole.examples(split)
    )
    assert len(examples) == written.usable_rows


def unattributed_together(rejected: dict[str, int]) -> dict[str, int]:
    """Late actions and orphans as one: a day does not know of impressions that are further away than the window."""
    return {
        name: count
        for name, count in rejected.items()
        if name not in ("late_action", "orphan_action")
    } | {"unattributed": rejected["late_action"] + rejected["orphan_action"]}


def file_by_day(simulated: Path, logs: Path, zone: ZoneInfo) -> list[datetime.date]:
    """Files each line by its day in a time zone, actions three hours later than simulated; gives the days.

    What is broken, or later than all impressions, goes to the last day.
    """
    logs.mkdir()
    for name in ("users.jsonl.gz", "videos.jsonl.gz"):
        (simulated / name).rename(logs / name)
    last_ms = 0
    filed: dict[tuple[str, datetime.date], list[bytes]] = defaultdict(list)
    for log, delay_ms in (("impressions", 0), ("actions", 3 * 3_600_000)):
        files = sorted((simulated / log).glob("day=*/*.gz"))
        lines = [
            line
            for file in files
            for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        ]
        times = [int(time[1]) + delay_ms if (time := TIME.search(line)) else 0 for line in lines]
        last_ms = last_ms or max(times)
        for line, time_ms in zip(lines, times, strict=True):
            of_day = datetime.datetime.fromtimestamp(
                min(time_ms or last_ms, last_ms) / 1000, zone
            ).date()
            filed[log, of_day].append(TIME.sub(b'"time_ms":%d' % time_ms, line))
    for (log, of_day), content in filed.items():
        folder = logs / log / f"day={of_day}"
        folder.mkdir(parents=True)
        (folder / "part-00000.jsonl.gz").write_bytes(gzip.compress(b"".join(content)))
    return sorted({of_day for _, of_day in filed})
