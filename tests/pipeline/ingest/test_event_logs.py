"""Event logs that are ingested day by day: what happens on both sides of midnight belongs together."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from feature_spec.names import EVENT_TIME, label_name
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

FIRST = datetime.date(1970, 1, 1)
DAY_S = 86_400
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
        "share": {**TASK, "kind": "regression", "metric": "mse", "label": {"rule": "column", "column": "shares"}},
    },
    "ranking_formula": {"weights": {"click": 1.0}},
}


def day(number: int) -> datetime.date:
    return FIRST + datetime.timedelta(days=number)


def impression(number: int, time_s: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "request_id": f"r{number}", "user_id": "u", "item_id": "a", "time_s": time_s} | changes


def action(number: int, kind: str, time_s: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"a{number}", "user_id": "u", "item_id": "a", "time_s": time_s, "kind": kind} | changes


def write(logs: Path, shown: list[dict[str, Any]], done: list[dict[str, Any]], days: int = 3) -> Path:
    """Each event into the file of its day, of which there are `days`, each with an impression at noon, `view`ed at once."""
    noons = [(number, number * DAY_S + DAY_S // 2) for number in range(days)]
    shown = [*shown, *(impression(-1 - number, noon, user_id="noon") for number, noon in noons)]
    done = [*done, *(action(-1 - number, "view", noon, user_id="noon") for number, noon in noons)]
    for folder, events in (("shown", shown), ("done", done)):
        (logs / folder).mkdir(parents=True)
        for number in range(days):
            lines = [json.dumps(event) + "\n" for event in events if event["time_s"] // DAY_S == number]
            (logs / folder / f"{day(number)}.jsonl").write_text("".join(lines), encoding="utf-8")
    return logs


def labels(run: Ingested) -> dict[int, tuple[float, float]]:
    """The labels of each example but those of noon, click and share, by its time in seconds."""
    return {
        example[EVENT_TIME][0] // 1_000_000: (example[label_name("click")][0], example[label_name("share")][0])
        for example in run.features()
        if example["user_key"] != [b"noon"]
    }


def test_an_action_after_midnight_counts_for_its_impression_before_midnight(tiny, tmp_path: Path) -> None:
    shown = [impression(1, DAY_S - 10), impression(2, DAY_S + 100, item_id="b")]
    logs = write(tmp_path / "logs", shown, [action(1, "click", DAY_S + 5), action(2, "share", DAY_S + 110, item_id="b")])
    before = Ingested(tiny.settings(day(0), **CHANGES), logs, tmp_path / "before")
    after = Ingested(tiny.settings(day(1), **CHANGES), logs, tmp_path / "after")
    assert labels(before) == {DAY_S - 10: (1.0, 0.0)}
    assert labels(after) == {DAY_S + 100: (0.0, 1.0)}
    for run, joined in ((before, "click"), (after, "share")):
        assert run.summary.actions is not None
        assert run.summary.actions.rejected == {}
        assert run.summary.actions.joined == {joined: 1, "view": 1}
        assert run.summary.differences() == []
