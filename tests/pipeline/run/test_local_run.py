"""What a run on this machine may reuse."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec
from pipeline.log_look.looking import Findings
from pipeline.run.local_run import run_locally
from pipeline.runner.node_errors import NodeFailedError
from pipeline.spans.span_window import SpanWindow
from pipeline.workspace.root import Root

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

TABLE = "{bigquery: {table: acme.logs.shown}}"
DAILY_TABLE = "{bigquery: {table: 'acme.logs.shown_{day:%Y%m%d}'}}"
ONE_DAY, NEXT_DAY = datetime.date(2022, 5, 1), datetime.date(2022, 5, 2)
WINDOW = SpanWindow(training_days=[ONE_DAY], evaluation_day=NEXT_DAY)


@pytest.mark.parametrize(
    ("overrides", "window", "expected"),
    [
        ([], None, ["Pusher"]),
        ([f"logs.exposures={TABLE}"], None, ["Pusher", "LogsExampleGen"]),
        ([f"logs.exposures={DAILY_TABLE}"], WINDOW, ["Pusher"]),
        # A table of users that is the same one each day may have changed for all of them.
        (
            [
                f"logs.exposures={DAILY_TABLE}",
                "logs.tables.users={bigquery: {table: acme.logs.users}, key: user_id}",
            ],
            WINDOW,
            ["Pusher", "LogsExampleGen-2022-05-01", "LogsExampleGen-2022-05-02"],
        ),
    ],
)
def test_what_nobody_can_know_to_be_unchanged_is_ingested_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    window: SpanWindow | None,
    expected: list[str],
) -> None:
    received: list[str] = []

    def stop(_: Any, *, always_run: list[str], **__: Any) -> None:
        received.extend(always_run)
        raise NodeFailedError("LogsExampleGen", "not run")

    monkeypatch.setattr("pipeline.runner.local_runner.run_pipeline", stop)
    monkeypatch.setattr(  # there are no logs to look at
        "pipeline.run.local_run.first_look", lambda *_: Findings(None, [], [])
    )
    spec = load_overridden_spec("short_video", overrides)
    run_locally(
        spec,
        trainer_settings=checked_trainer_settings(spec),
        logs=str(tmp_path),
        root=Root(tmp_path / "root"),
        beam_arguments=[],
        with_single_task=False,
        tune=False,
        window=window,
    )
    assert received == expected
