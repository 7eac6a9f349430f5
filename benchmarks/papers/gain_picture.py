"""A picture of the MTL gains on synthetic data, like Fig 7 of PLE."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.papers.report import mean_gains


def draw_gains(report: Mapping[str, Any], path: Path) -> None:
    """Draw a bar for each model and correlation."""
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
