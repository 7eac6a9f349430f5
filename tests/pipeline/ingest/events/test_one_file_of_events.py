"""One file of events serves as impressions and as actions, each with its `where`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feature_spec.names import label_name
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

EVENTS = {
    "path": "events.csv",
    "format": "csv",
    "columns": ["user_id", "item_id", "behavior", "time_s"],
}
CHANGES: dict[str, Any] = {
    "keys": {"user": "user_id", "item": "item_id", "event_time": {"column": "time_s", "unit": "s"}},
    "logs": {
        "impressions": {**EVENTS, "where": {"behavior": ["pv"]}},
        "actions": {
            **EVENTS, "where": {"behavior": ["buy", "cart"]}, "kind": "behavior",
            "event_time": {"column": "time_s", "unit": "s"}, "join_by": "user", "window_s": 3600,
            "folds": {"bought": {"action": "buy", "fold": "any"}},
        },
        "max_rejected_share": 0.5,
    },
    "fields": {"item": {"side": "item", "kind": "categorical", "column": "item_id"}},
    "tasks": {
        "buy": {
            "kind": "binary", "metric": "auc", "threshold": 0.5, "tolerance": 0.1,
            "label": {"rule": "event", "column": "bought"},
        }
    },
    "ranking_formula": {"weights": {"buy": 1.0}},
}  # fmt: skip
DAY_S = 86_400


def test_one_file_of_events_serves_as_impressions_and_as_actions(tiny, tmp_path: Path) -> None:
    views = [(n, DAY_S * (n % 2) + 10 * n) for n in range(40)]
    lines = [f"u{n},i{n % 5},pv,{time_s}" for n, time_s in views]
    lines += [f"u{n},i{n % 5},buy,{time_s + 5}" for n, time_s in views[:10]]
    # A cart without a view is an orphan, and a favourite nobody's line.
    lines += ["u99,i1,cart,7", "u1,i1,fav,8"]
    (tmp_path / "events.csv").write_text("\n".join(lines), encoding="utf-8")

    run = Ingested(tiny.settings(**CHANGES), tmp_path, tmp_path / "out")
    summary, actions = run.summary, run.summary.actions
    assert actions is not None
    assert (summary.lines, summary.filtered, sum(summary.examples.values())) == (52, 12, 40)
    assert (actions.lines, actions.filtered) == (52, 41)
    assert (actions.joined, actions.rejected) == ({"buy": 10}, {"orphan_action": 1})
    assert summary.differences() == []
    assert summary.totals["filtered"] == 12
    # 10 of the 11 actions are joined: the share counts kept lines only.
    assert summary.by_source["actions"].rejected_share == pytest.approx(1 / 11)
    assert sum(example[label_name("buy")][0] for example in run.features()) == 10.0
