"""`fulcrum backfill` with all real parts: three days of logs, of which two judge a model."""

from __future__ import annotations

import datetime
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from feature_spec.artifacts.calibration import CALIBRATION_FILE, CalibrationReport
from tests.integration.ended_run import EndedRun, run_command, states_of

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
keys: {user: user, event_time: {column: time_s, unit: s}}
logs: {exposures: {path: "{day}.jsonl", format: jsonl}}
split: {evaluation_days: 1, validation_share: 0.2}
spans: {window_days: 2}
fields:
  user: {side: user, kind: categorical, width: 4}
  item: {side: item, kind: categorical, width: 4}
  length_s: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.1, tolerance: 1.0}
ranking_formula: {weights: {click: 1.0}}
model: {name: shared_bottom, bottom_units: [4], tower_units: []}
trainer: {epochs: 1, batch_size: 64}
serving: {candidate_counts: [1], latency_budget_ms: 10_000}
calibration: {method: platt}
drift: {thresholds: {item: {l_infinity: 0.9}}}
"""
FIRST = datetime.date(2022, 5, 1)
ROWS = 500
LOOKUPS = {"AnalyzerCache", "BaseModel", "Baseline", "PreviousStatistics", "Pusher", "RunReport"}


def write_logs(folder: Path) -> None:
    """Day n has users up to 20 + n, so that each day brings one; the last line of each file is of the day after."""
    chance = random.Random(1)
    folder.mkdir()
    for number in range(3):
        day = FIRST + datetime.timedelta(days=number)
        midnight_s = int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp())
        rows = []
        for row in range(ROWS + 1):
            user, item = chance.randrange(21 + number), chance.randrange(15)
            rows.append({
                "user": f"u{user}", "item": f"i{item}", "length_s": chance.gauss(30, 5), "time_s": midnight_s + row,
                "clicked": chance.random() < (user % 4 + item % 3) / 5,
            })  # fmt: skip
        rows[-1]["time_s"] += 86_400
        (folder / f"{day}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def fulcrum(folder: Path, command: str, *arguments: str) -> EndedRun:
    given = [
        "--spec",
        str(folder / "spec.yaml"),
        "--logs",
        str(folder / "logs"),
        "--root",
        str(folder / "root"),
    ]
    ended = run_command([command, *given, *arguments], folder / "summary.json")
    assert ended.summary, ended.output
    return ended


@dataclass(frozen=True)
class Story:
    """What a user does, one after the other, on one root."""

    folder: Path
    first: EndedRun
    again: EndedRun
    of_first_day: EndedRun

    def artifacts(self, node: str, output: str) -> list[Path]:
        """Folders of a node's outputs, by execution."""
        found = (self.folder / "root" / "artifacts" / node / output).glob("*")
        return sorted(found, key=lambda execution: int(execution.name))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("days")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    write_logs(folder / "logs")
    series = ["--from", "2022-05-02", "--to", "2022-05-03"]
    first, again = (fulcrum(folder, "backfill", *series) for _ in range(2))
    return Story(
        folder=folder,
        first=first,
        again=again,
        of_first_day=fulcrum(folder, "run", "--span", "2022-05-02"),
    )


def test_each_day_gives_a_version_that_the_day_itself_has_judged(story: Story) -> None:
    assert story.first.exit_code == 0
    assert [day["span"]["training_days"] for day in story.first.days] == [
        ["2022-05-01"],
        ["2022-05-01", "2022-05-02"],
    ]
    assert [day["status"] for day in story.first.days] == ["pushed", "pushed"]
    for day in story.first.days:
        assert day["tasks"][0]["example_count"] == ROWS
        span = (
            story.folder
            / "root"
            / "serving_model"
            / str(day["version"])
            / "assets.extra"
            / "span.json"
        )
        assert json.loads(span.read_text(encoding="utf-8")) == day["span"]


def test_every_line_of_the_window_is_accounted_for(story: Story) -> None:
    for day, days in zip(story.first.days, (2, 3), strict=True):
        assert day["ingestion"]["lines"] == days * (ROWS + 1)
        assert sum(day["ingestion"]["examples"].values()) == days * ROWS
        assert day["ingestion"]["rejected"] == {"stray_event_time": days}


def test_a_day_is_ingested_once(story: Story) -> None:
    ingested = {
        node: state
        for node, state in states_of(story.first.days[1]).items()
        if node.startswith("LogsExampleGen")
    }
    assert ingested == {
        "LogsExampleGen-2022-05-01": "cached", "LogsExampleGen-2022-05-02": "cached", "LogsExampleGen-2022-05-03": "done",
    }  # fmt: skip


def test_a_day_is_analysed_once(story: Story) -> None:
    _, second = story.artifacts("Transform", "updated_analyzer_cache")
    [old] = second.glob("*LogsExampleGen-2022-05-01*")
    [new] = second.glob("*LogsExampleGen-2022-05-02*")
    # What is known of the old day is copied before anything is analysed.
    copied = max(file.stat().st_mtime_ns for file in old.glob("*-of-*"))
    assert copied < min(file.stat().st_mtime_ns for file in new.glob("*-of-*"))


def test_training_begins_with_the_rows_that_the_day_before_has_learnt(story: Story) -> None:
    # 4 reserved rows, 21 users and 15 items on the first day; user u21 is new on the second.
    assert "warm start" not in Path(story.first.days[0]["log"]).read_text(encoding="utf-8")
    assert "warm start: 40 of 41 rows of width 4 have learnt before" in Path(
        story.first.days[1]["log"]
    ).read_text(encoding="utf-8")


def test_each_day_is_calibrated_anew_on_its_own_validation_examples(story: Story) -> None:
    fitted = [
        CalibrationReport.model_validate_json(
            (
                story.folder / "root" / "serving_model" / str(day["version"]) / CALIBRATION_FILE
            ).read_bytes()
        ).tasks[0]
        for day in story.first.days
    ]
    assert [task.examples for task in fitted] == [
        day["ingestion"]["examples"]["validation"] for day in story.first.days
    ]
    assert fitted[0].curve != fitted[1].curve


def test_a_day_is_compared_with_the_model_and_the_statistics_of_the_day_before(
    story: Story,
) -> None:
    first, second = story.first.days
    assert first["tasks"][0]["baseline_metrics"] == {}
    assert "auc" in second["tasks"][0]["baseline_metrics"]
    assert [day["drift"]["is_compared"] for day in story.first.days] == [False, True]


def test_the_same_series_again_does_no_work(story: Story) -> None:
    assert story.again.exit_code == 0
    for day in range(2):
        assert {
            node for node, state in states_of(story.again.days[day]).items() if state == "done"
        } == LOOKUPS
        assert story.again.days[day]["version"] == story.first.days[day]["version"]
        assert not story.again.days[day]["newly_pushed"]
    # 11 steps a day beside ingestion, which has 2 days for the first and 3 for the second.
    assert "27 of 27 steps reused" in story.again.output
    assert len(story.artifacts("Trainer", "model")) == 2


def test_an_earlier_day_alone_is_what_it_was_in_the_series(story: Story) -> None:
    assert story.of_first_day.exit_code == 0
    assert {node for node, state in story.of_first_day.states.items() if state == "done"} == LOOKUPS
    assert (
        f"already pushed as version {story.first.days[0]['version']}" in story.of_first_day.output
    )
    assert len(list((story.folder / "root" / "serving_model").iterdir())) == 2


def test_the_trained_tables_stay_out_of_the_pushed_version(story: Story) -> None:
    [first, _] = story.artifacts("Trainer", "model")
    with np.load(first / "weights.npz") as weights:
        assert weights["table/0/4"].shape == (40, 4)
    pushed = story.folder / "root" / "serving_model" / str(story.first.days[0]["version"])
    assert not list(pushed.rglob("weights.npz"))
