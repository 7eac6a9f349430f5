"""Histories in the tables of `fulcrum spec check`."""

from __future__ import annotations

import yaml
from rich.console import Console

from feature_spec.histories.history_table import known_text, seconds_text
from feature_spec.loading import parse_spec
from feature_spec.spec_tables import print_spec

HISTORIES = {
    "known_after_s": 600,
    "warm_up_days": 1,
    "counts": {"both": {"by": ["user_id", "item_id"], "tasks": ["click"], "windows_s": [86_400]}},
    "sequences": {
        "clicked": {
            "by": "user_id",
            "where": {"event": "clicked"},
            "fields": ["item_id"],
            "max_length": 30,
        }
    },
}


def test_a_history_is_a_line_and_its_fields_are_counted(spec_text):
    spec = parse_spec(yaml.safe_dump(yaml.safe_load(spec_text) | {"histories": HISTORIES}))
    console = Console(record=True, width=200)
    print_spec(spec, console)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "tiny: 5 fields, and 4 of histories" in lines
    assert "2 histories, known after 10 min, 1 day of warm-up" in lines
    assert (
        "both item user_id × item_id exposures and rate of click in the last 1 d, α = 20 2" in lines
    )
    assert "clicked user user_id last 30 where clicked: item_id, age; dot_product 2" in lines
    assert not any(line.startswith("both_1d_shown") for line in lines)


def test_a_duration_is_told_in_its_largest_whole_unit():
    assert [seconds_text(seconds) for seconds in (0, 90, 120, 7200, 604_800, 0.5)] == [
        "0 s",
        "90 s",
        "2 min",
        "2 h",
        "7 d",
        "0.5 s",
    ]


def test_a_refresh_by_day_is_told(spec_text):
    daily = {**HISTORIES, "refresh": "day", "warm_up_days": 0}
    del daily["known_after_s"]
    spec = parse_spec(yaml.safe_dump(yaml.safe_load(spec_text) | {"histories": daily}))
    assert known_text(spec.histories) == "known at the begin of the day, 0 days of warm-up"
