"""The tables of a report in Markdown, for terminals and documents, and the picture of the gains."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from benchmarks.papers.contenders import SINGLE_TASK
from benchmarks.papers.report import mean_gains

_SIGNIFICANT = 0.05


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield all tables of a report.

    On synthetic data, the gains by correlation come first. Results, significance, and what gates
    and masks closed follow for each variant of the data.
    """
    synthetic = "" not in report["variants"]
    if synthetic:
        yield gains_table(report)
    for variant, of_variant in sorted(report["variants"].items()):
        name = f"{report['dataset']}, p = {variant}" if synthetic else report["dataset"]
        yield results_table(
            f"{name}: mean ± standard deviation over {report['seeds']} seeds", of_variant["models"]
        )
        if report["seeds"] > 1:
            yield significance_table(of_variant["models"])
        if any("closed" in facts for facts in of_variant["models"].values()):
            yield closed_table(of_variant["models"])


def gains_table(report: Mapping[str, Any]) -> Table:
    """Return a table of MTL gains by model and correlation, each the mean of the two tasks."""
    gains = mean_gains(report)
    correlations = list(next(iter(gains.values())))
    table = Table(title="MTL gain (MSE) by correlation", title_justify="left", box=box.MARKDOWN)
    table.add_column("model", no_wrap=True)
    for heading in (*map(str, correlations), "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model, by_correlation in gains.items():
        values = [*by_correlation.values(), statistics.fmean(by_correlation.values())]
        table.add_row(f"`{model}`", *(f"{value:+.4f}" for value in values))
    return table


def results_table(title: str, models: Mapping[str, Any]) -> Table:
    """Return a table with a row for each model.

    A row has the mean ± deviation of the metric and the MTL gain of each task, and the sum of the
    log losses.
    """
    first = next(iter(models.values()))
    table = Table(title=title, title_justify="left", box=box.MARKDOWN)
    table.add_column("model", no_wrap=True)
    for task, result in first["tasks"].items():
        table.add_column(f"{task}, {result['metric']}", justify="right", no_wrap=True)
        table.add_column("gain", justify="right", no_wrap=True)
    has_log_loss = "log_loss" in first
    if has_log_loss:
        table.add_column("log loss", justify="right", no_wrap=True)
    table.add_column("setting", no_wrap=True)
    table.add_column("weights", justify="right", no_wrap=True)
    for name, facts in models.items():
        cells = []
        for result in facts["tasks"].values():
            cells.append(f"{_short(result['mean'])} ± {_short(result['deviation'])}{_star(result)}")
            cells.append("–" if name == SINGLE_TASK else f"{result['gain']:+.4f}")
        if has_log_loss:
            cells.append(f"{facts['log_loss']:.4f}")
        table.add_row(
            f"`{name}`",
            *cells,
            facts["setting"],
            f"{facts['parameters']:,}" if facts["parameters"] else "–",
        )
    return table


def significance_table(models: Mapping[str, Any]) -> Table:
    """Return a table of the proposed models against the best baseline of each task.

    A cell has the difference of the gains and p of a paired t-test.
    """
    first = next(iter(models.values()))
    table = Table(
        title="Against the best baseline, p of a paired t-test",
        title_justify="left",
        box=box.MARKDOWN,
    )
    table.add_column("model", no_wrap=True)
    for task, result in first["tasks"].items():
        table.add_column(f"{task}: {result['baseline']}", justify="right", no_wrap=True)
    for name, facts in models.items():
        results = facts["tasks"]
        if any(result["p_value"] is not None for result in results.values()):
            table.add_row(
                f"`{name}`",
                *(_difference(result, models, task) for task, result in results.items()),
            )
    return table


def closed_table(models: Mapping[str, Any]) -> Table:
    """Return a table of what hard-concrete gates and field masks closed, as means over seeds."""
    table = Table(
        title="Closed by gates and masks, mean over seeds", title_justify="left", box=box.MARKDOWN
    )
    table.add_column("model", no_wrap=True)
    columns = {
        "cells": "cells",
        "values": "values of fields",
        "values_of_all": "by all sub-networks",
        "fields": "fields, by a sub-network",
        "fields_apart": "of these, open to another",
    }
    for heading in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, facts in models.items():
        closed = facts.get("closed", {})
        if closed:
            table.add_row(
                f"`{name}`",
                *("–" if key not in closed else _closed(key, closed[key]) for key in columns),
            )
    return table


def _closed(key: str, value: float) -> str:
    return f"{value:.1f}" if key.startswith("fields") else f"{100 * value:.1f} %"


def draw_gains(report: Mapping[str, Any], path: Path) -> None:
    """Draw the MTL gains on synthetic data as a bar for each model and correlation (PLE, Fig 7)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    gains = mean_gains(report)
    correlations = list(next(iter(gains.values())))
    width = 0.8 / len(gains)
    with mpl.rc_context({"svg.hashsalt": "fulcrum"}):
        figure = Figure(figsize=(7.0, 3.2), layout="constrained")
        axes = figure.subplots()
        for number, (model, by_correlation) in enumerate(gains.items()):
            places = [
                place + (number - (len(gains) - 1) / 2) * width
                for place in range(len(correlations))
            ]
            axes.bar(places, list(by_correlation.values()), width, label=model)
        axes.axhline(0.0, color="black", linewidth=0.8)
        axes.set_xticks(
            range(len(correlations)), [str(correlation) for correlation in correlations]
        )
        axes.set_xlabel("correlation p of the tasks' weights")
        axes.set_ylabel("MTL gain (MSE)")
        axes.legend()
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _difference(result: Mapping[str, Any], models: Mapping[str, Any], task: str) -> str:
    ahead = result["gain"] - models[result["baseline"]]["tasks"][task]["gain"]
    return f"{ahead:+.4f}" + ("" if result["p_value"] is None else f" ({result['p_value']:.3f})")


def _star(result: Mapping[str, Any]) -> str:
    return "*" if result["p_value"] is not None and result["p_value"] < _SIGNIFICANT else ""


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")
