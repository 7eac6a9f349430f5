"""Tasks of several runs side by side: metrics, MTL gains, slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.evidence import examples_text
from pipeline.evaluate.evaluation_result import Estimate, TaskVerdict
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.evaluate.values_by_part import paired_change
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.estimates import (
    change_cell,
    estimate_cell,
    estimate_text,
    turned,
    whole_split,
)
from pipeline.report.elements.figure import COLOURS, GREY, axis_range, bubbles, figure, reach
from pipeline.report.elements.section import Cell, Choice, Note, Picture, Pictures, Section, Table
from pipeline.report.sections.tasks import gains_by_task

_BUBBLE_PX = 24.0


def _verdicts(runs: Sequence[RunData]) -> dict[str, dict[str, TaskVerdict]]:
    """Return verdicts by task, then by run."""
    found: dict[str, dict[str, TaskVerdict]] = {}
    for run in runs:
        for verdict in run.evaluation.tasks if run.evaluation is not None else []:
            found.setdefault(verdict.task, {})[run.name] = verdict
    return found


def compared_metrics(runs: Sequence[RunData]) -> Section:
    """Return the section on which run is best for which task."""
    blocks: list[Any] = []
    verdicts = _verdicts(runs)
    if verdicts:
        blocks.append(
            Pictures(
                pictures=[
                    _metric_picture(task, of_runs, runs) for task, of_runs in verdicts.items()
                ]
            )
        )
        blocks.append(_metric_table(verdicts, runs))
        blocks.append(
            Choice(
                label="All metrics of",
                options={task: [_all_metrics(task, of, runs)] for task, of in verdicts.items()},
            )
        )
    else:
        blocks.append(Note("None of the runs was evaluated.", "warn"))
    return Section(
        anchor="tasks",
        title="Metrics of each task",
        lead=(
            "Which run is best for which task? A picture is a task, a mark a run with its 95 % "
            "interval. In the table the best run of each task is green. A change is a run minus "
            "the first one on the same examples, with the interval of the difference, which is "
            "narrower than the two intervals suggest; grey within noise or without an interval."
        ),
        blocks=blocks,
    )


def _estimate(verdict: TaskVerdict | None, metric: str) -> Estimate | None:
    whole = whole_split(verdict.slices) if verdict is not None else None
    return whole.metrics.get(metric) if whole is not None else None


def _metric_picture(task: str, of_runs: dict[str, TaskVerdict], runs: Sequence[RunData]) -> Picture:
    metric = next(iter(of_runs.values())).metric
    label = meaning_of(metric).label
    names = [run.name for run in runs if run.name in of_runs]
    estimates = [_estimate(of_runs[name], metric) for name in names]
    made = figure(xaxis={"title": {"text": label}}, showlegend=False)
    made.update_yaxes(autorange="reversed", type="category")
    possible = (0.0, meaning_of(metric).range.highest)
    made.update_xaxes(range=axis_range(estimates, holds_zero=False, within=possible))
    made.add_scatter(
        x=[estimate.value if estimate else None for estimate in estimates],
        y=names,
        error_x={**reach(estimates), "color": GREY},
        cliponaxis=False,
        mode="markers",
        marker={"size": 11, "color": _colours(names, runs)},
        hovertemplate="<b>%{y}</b><br>" + label + " %{x:.4f}<extra></extra>",
    )
    direction = "higher is better" if meaning_of(metric).higher_is_better else "lower is better"
    described = "; ".join(
        f"{name} {estimate_text(estimate)}" for name, estimate in zip(names, estimates, strict=True)
    )
    return Picture(
        title=f"{task}: {label}, {direction}",
        describes=described,
        figure=made,
        height_px=110 + 30 * len(names),
    )


def _metric_table(verdicts: dict[str, dict[str, TaskVerdict]], runs: Sequence[RunData]) -> Table:
    rows: list[list[str | Cell]] = []
    for task, of_runs in verdicts.items():
        metric = next(iter(of_runs.values())).metric
        estimates = {run.name: _estimate(of_runs.get(run.name), metric) for run in runs}
        pick = max if meaning_of(metric).higher_is_better else min
        best = pick(
            (one.value for one in estimates.values() if one is not None and one.value is not None),
            default=None,
        )
        cells = [
            estimate_cell(one, "good" if one is not None and one.value == best else "")
            for one in estimates.values()
        ]
        changes = [
            change_cell(metric, _difference(of_runs.get(run.name), of_runs.get(runs[0].name)))
            for run in runs[1:]
        ]
        rows.append([task, meaning_of(metric).label, *cells, *changes, _examples(of_runs)])
    first = runs[0].name
    return Table(
        caption="The metric that blesses, by task and run",
        columns=[
            "Task",
            "Metric",
            *_names(runs),
            *(f"Change: {name} minus {first}" for name in _names(runs[1:])),
            "Examples",
        ],
        rows=rows,
        texts=2,
    )


def _all_metrics(task: str, of_runs: dict[str, TaskVerdict], runs: Sequence[RunData]) -> Table:
    metrics = dict.fromkeys(metric for verdict in of_runs.values() for metric in verdict.metrics)
    return Table(
        caption=f"All metrics of {task}",
        columns=["Metric", *_names(runs)],
        rows=[
            [
                meaning_of(metric).label,
                *(estimate_cell(_estimate(of_runs.get(run.name), metric)) for run in runs),
            ]
            for metric in metrics
        ],
    )


def compared_gains(runs: Sequence[RunData]) -> Section:
    """Return the section with bubbles of gains.

    Gains are against the tasks trained alone if all runs have that, else against the first run.
    """
    verdicts = _verdicts(runs)
    blocks: list[Any] = []
    if all(run.gains is not None for run in runs):
        against, shown = "against the same network trained alone", list(runs)
        gains = [{task: gain.gain for task, gain in gains_by_task(run).items()} for run in runs]
    else:
        against, shown = f"against {runs[0].name}", list(runs[1:])
        gains = [
            {
                task: turned(
                    next(iter(of_runs.values())).metric,
                    _difference(of_runs.get(run.name), of_runs.get(runs[0].name)),
                )
                for task, of_runs in verdicts.items()
            }
            for run in shown
        ]
        blocks.append(
            Note(
                "Not all of these runs measured MTL gains (--with-single-task), so the first "
                "run stands in for them."
            )
        )
    tasks = [task for task in verdicts if any(of_run.get(task) for of_run in gains)]
    if len(tasks) > 1:
        blocks.append(
            bubbles(
                [run.name for run in shown],
                {task: [of_run.get(task) for of_run in gains] for task in tasks},
                sizes=[_BUBBLE_PX] * len(shown),
                colours=_colours([run.name for run in shown], runs),
                against=against,
                labelled=True,
            )
        )
    else:
        blocks.append(Note("There are no two tasks that could be compared."))
    return Section(
        anchor="mtl-gain",
        title="Does one task pay for another?",
        lead=(
            "The seesaw, as in PLE, Fig 3. Choose two tasks; a bubble is a run. Up and to the "
            "right both tasks gain; in another corner a task pays for the other."
        ),
        blocks=blocks,
    )


def _difference(verdict: TaskVerdict | None, first: TaskVerdict | None) -> Estimate | None:
    return paired_change(verdict, first) if verdict is not None and first is not None else None


def _examples(of_runs: dict[str, TaskVerdict]) -> str:
    """Return the examples of a task with its positives, of each run where they differ."""
    texts = [examples_text(one.example_count, one.positive_count) for one in of_runs.values()]
    return " / ".join(dict.fromkeys(texts))


def compared_slices(runs: Sequence[RunData]) -> Section:
    """Return the section on the slices for which each run is good."""
    options: dict[str, list[Any]] = {}
    for task, of_runs in _verdicts(runs).items():
        metric = next(iter(of_runs.values())).metric
        values = {
            run: {
                part.name: part.metrics[metric]
                for part in verdict.slices
                if part.field and metric in part.metrics
            }
            for run, verdict in of_runs.items()
        }
        names = dict.fromkeys(name for of_run in values.values() for name in of_run)
        if names:
            rows: list[list[str | Cell]] = [
                [name, *(estimate_cell(values.get(run.name, {}).get(name)) for run in runs)]
                for name in names
            ]
            options[task] = [
                Table(
                    caption=f"{meaning_of(metric).label} of {task} by slice",
                    columns=["Slice", *_names(runs)],
                    rows=rows,
                )
            ]
    return Section(
        anchor="slices",
        title="Slices",
        lead=(
            "Is a run better for everybody, or for some at the cost of others? A row is a part "
            "of the evaluation split, a column a run."
        ),
        blocks=[Choice(label="Task", options=options)]
        if options
        else [Note("None of the runs has slices.")],
    )


def _names(runs: Sequence[RunData]) -> list[str]:
    return [run.name for run in runs]


def _colours(names: Sequence[str], runs: Sequence[RunData]) -> list[str]:
    """Return the colours of runs, which are the same in all pictures."""
    order = _names(runs)
    return [COLOURS[order.index(name) % len(COLOURS)] for name in names]
