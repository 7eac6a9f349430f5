"""`fulcrum backfill` without its flags: a run by span for each of a series of days."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from feature_spec.spec import FeatureSpec
from pipeline.run.local_run import run_locally
from pipeline.run.run_summary import RunSummary
from pipeline.spans.span_window import SpanWindow, span_window
from pipeline.workspace.root import Root


def backfill_windows(
    spec: FeatureSpec, logs: str, first: datetime.date, last: datetime.date
) -> list[SpanWindow]:
    """The window of each day from `first` to `last`, so that what is missing is known before hours of work.

    Raises:
        ValueError: the days are the wrong way round, or see `span_window`.
    """
    if last < first:
        raise ValueError(f"--from {first} is later than --to {last}")
    days = [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]
    return [span_window(spec, logs, day) for day in days]


def run_days(
    spec: FeatureSpec,
    windows: Sequence[SpanWindow],
    *,
    trainer_settings: str,
    logs: str,
    root: Root,
    artifacts: str | None = None,
    beam_arguments: Sequence[str],
    on_start: Callable[[int, SpanWindow], None] = lambda _, __: None,
) -> list[RunSummary]:
    """Runs the days in order; a refused model does not stop the series, a failure does, since later days would build on it.

    Args:
        spec: valid as a whole.
        windows: of the days, ascending.
        trainer_settings: as of `run_locally`; so are `logs`, `root`, `artifacts` and
            `beam_arguments`.
        logs: the folder or URI that the spec's log paths are relative to.
        root: where all is kept.
        artifacts: where artifacts are to be kept.
        beam_arguments: Beam pipeline options.
        on_start: called with the number, from 1, and the window of each day before it.

    Returns:
        A summary a day, up to the first that failed.

    Raises:
        pipeline.workspace.run_lock.RootInUseError: another run is using the root.
        pipeline.workspace.root.RootError: the root was made for another spec, or keeps its
            artifacts elsewhere.
    """
    summaries: list[RunSummary] = []
    for number, window in enumerate(windows, 1):
        on_start(number, window)
        summaries.append(
            run_locally(
                spec,
                trainer_settings=trainer_settings,
                logs=logs,
                root=root,
                artifacts=artifacts,
                beam_arguments=beam_arguments,
                window=window,
            )
        )
        if summaries[-1].status == "failed":
            break
    return summaries
