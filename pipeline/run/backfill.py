"""A series of runs by span, one day after the other, as a table and as a page with pictures."""

from __future__ import annotations

import datetime
import html
import io
from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation_result import Estimate, TaskVerdict, number_text
from pipeline.run.local_run import run_locally
from pipeline.run.run_summary import RunSummary
from pipeline.spans.span_window import SpanWindow, span_window
from pipeline.workspace.root import Root


def backfill_windows(
    spec: FeatureSpec, logs: str, first: datetime.date, last: datetime.date
) -> list[SpanWindow]:
    """Return the window of each day from `first` to `last`, before hours of work begin.

    Raises:
        ValueError: `last` is before `first`, or a day cannot be run; see `span_window`.
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
    """Run the days in order.

    A refused model does not stop the series. A failure does, because later days would build on it.

    Args:
        spec: the feature spec, valid as a whole.
        windows: the windows of the days, ascending.
        trainer_settings: JSON of the trainer's settings.
        logs: the folder or URI that the spec's log paths are relative to.
        root: the pipeline root.
        artifacts: the folder or URI for the artifacts; None for the present place of the root.
        beam_arguments: Beam pipeline options.
        on_start: a function that is called before each day with its number, from 1, and its window.

    Returns:
        A summary for each day, up to the first that failed.

    Raises:
        RootInUseError: another run is using the root.
        RootError: the root was made for another spec, or keeps its artifacts elsewhere.
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


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em }}
svg {{ max-width: 100%; height: auto }}
td, th {{ padding: 0.2em 0.8em; text-align: right }}
</style></head>
<body>
<h1>{title}</h1>
<p>Each day's model was trained on the days before it and judged on the day itself. A task that
refused it is hollow. Bars: 95 % intervals; dotted: the blessed model that it was compared with;
dashed: the threshold.</p>
{picture}
<table>
{rows}
</table>
</body>
</html>
"""
_HEIGHT_OF_TASK = 2.2
# These nodes take no time and look at the present state, so they are never reused.
_ALWAYS_RUN = frozenset(
    {"AnalyzerCache", "BaseModel", "Baseline", "PreviousStatistics", "Pusher", "RunReport"}
)


def days_table(days: Sequence[RunSummary]) -> Table:
    """Return a table with a row for each day.

    The columns are days trained on, outcome, version, each task's metric, and steps reused.
    """
    header, *rows = _cells(days)
    table = Table(title="Each day's model, judged on the day itself")
    for name in header:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def days_page(days: Sequence[RunSummary]) -> str:
    """Return one HTML file that needs nothing else and holds its picture as SVG."""
    header, *rows = _cells(days)
    lines = [_row("th", header), *(_row("td", row) for row in rows)]
    title = f"{days[0].spec} day by day"
    return _PAGE.format(
        title=html.escape(title), picture=_svg(_picture(days)), rows="\n".join(lines)
    )


def reused_text(days: Sequence[RunSummary]) -> str:
    """Return a sentence on how many steps were reused."""
    states = [state for day in days for state in _states(day)]
    return f"{states.count('cached'):,} of {len(states):,} steps reused"


def _states(day: RunSummary) -> list[str]:
    return [run.state for run in day.components if run.node not in _ALWAYS_RUN]


def _cells(days: Sequence[RunSummary]) -> list[list[str]]:
    tasks = _tasks(days)
    cells = [
        [
            "day",
            "trained on",
            "outcome",
            "version",
            *(f"{name} {metric}" for name, metric in tasks),
            "steps reused",
        ]
    ]
    for day in days:
        values = {verdict.task: number_text(verdict.value) for verdict in day.tasks}
        cells.append(
            [
                _name(day),
                f"{len(day.span.training_days)} d" if day.span else "",
                day.status,
                str(day.version or "–"),
                *(values.get(name, "–") for name, _ in tasks),
                f"{_states(day).count('cached')} of {len(_states(day))}",
            ]
        )
    return cells


def _tasks(days: Sequence[RunSummary]) -> list[tuple[str, str]]:
    """Return name and metric of each task; a day that failed may have none."""
    return list(
        dict.fromkeys((verdict.task, verdict.metric) for day in days for verdict in day.tasks)
    )


def _name(day: RunSummary) -> str:
    return str(day.span.evaluation_day) if day.span else ""


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _picture(days: Sequence[RunSummary]) -> Figure:
    tasks = _tasks(days)
    figure = Figure(
        figsize=(10.0, 1.0 + _HEIGHT_OF_TASK * max(len(tasks), 1)), layout="constrained"
    )
    if not tasks:
        return figure
    for (name, metric), axis in zip(
        tasks, figure.subplots(len(tasks), 1, sharex=True, squeeze=False)[:, 0], strict=True
    ):
        verdicts = [
            (_name(day), verdict) for day in days for verdict in day.tasks if verdict.task == name
        ]
        _draw(axis, [_name(day) for day in days], verdicts)
        axis.set_title(f"{name}: {metric}", loc="left", fontsize="medium")
    figure.axes[-1].tick_params(axis="x", rotation=45)
    return figure


def _draw(axis: Axes, names: Sequence[str], verdicts: Sequence[tuple[str, TaskVerdict]]) -> None:
    places = {name: place for place, name in enumerate(names)}
    shown = [
        (places[name], verdict, value)
        for name, verdict in verdicts
        if (value := verdict.value) is not None
    ]
    axis.plot(
        [place for place, _, _ in shown],
        [value for _, _, value in shown],
        color="C0",
        linewidth=1.0,
    )
    for place, verdict, value in shown:
        estimate = _estimate(verdict)
        if estimate is not None and estimate.lower is not None and estimate.upper is not None:
            axis.vlines(place, estimate.lower, estimate.upper, color="C0", alpha=0.4, linewidth=4.0)
        axis.plot(
            place,
            value,
            marker="o",
            color="C0",
            markerfacecolor="white" if verdict.refusals else "C0",
        )
    compared = [
        (place, verdict.baseline_value)
        for place, verdict, _ in shown
        if verdict.baseline_value is not None
    ]
    axis.plot(
        [place for place, _ in compared],
        [value for _, value in compared],
        color="C1",
        linestyle=":",
        marker=".",
    )
    if verdicts and verdicts[-1][1].threshold is not None:
        axis.axhline(verdicts[-1][1].threshold, color="0.5", linestyle="--", linewidth=0.8)
    axis.set_xticks(list(places.values()), names)
    axis.grid(visible=True, alpha=0.3)


def _estimate(verdict: TaskVerdict) -> Estimate | None:
    whole = next((part for part in verdict.slices if not part.field), None)
    return whole.metrics.get(verdict.metric) if whole is not None else None


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text, so that the page can be searched, and the same days give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fulcrum"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    # The header before it is for SVG files on their own.
    return text.getvalue()[text.getvalue().index("<svg") :]
