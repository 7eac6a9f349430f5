"""A load test as a picture: latency over time, and over percentiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from serving.loadtest.measurements import Measurements
from serving.loadtest.summary import Summary

FORMATS = (".png", ".svg", ".pdf")
# Up to so many requests, each is a dot of its own.
_MOST_DOTS = 50_000
_TICKS = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def check_format(path: Path) -> None:
    """Check before a test that its picture can be drawn.

    Raises:
        ValueError: The suffix is none of `FORMATS`.
    """
    if path.suffix not in FORMATS:
        raise ValueError(
            f"{path}: a file name that ends in {', '.join(FORMATS)} is needed; received "
            f"{path.suffix or 'none'!r}"
        )


def save_picture(path: Path, measurements: Measurements, summary: Summary, title: str) -> None:
    """Draw a load test into a file, whose suffix is one of `FORMATS`.

    Raises:
        OSError: The file cannot be written.
    """
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    figure.suptitle(title)
    over_time, over_percentiles = figure.subplots(2, 1)
    _draw_over_time(over_time, measurements, summary)
    _draw_over_percentiles(over_percentiles, measurements)
    figure.savefig(path, dpi=120)


def _draw_over_time(axis: Axes, measurements: Measurements, summary: Summary) -> None:
    latency_ms = 1000.0 * measurements.latency_s
    answered = np.flatnonzero(np.isfinite(latency_ms))
    shown = answered[:: -(-answered.size // _MOST_DOTS) or 1]
    axis.scatter(
        measurements.scheduled_s[shown],
        latency_ms[shown],
        s=3,
        alpha=0.3,
        color="C0",
        label="answered",
        rasterized=True,
    )
    # A window's step reaches to the start of the next; the last one's to the end.
    steps_s = [*(window.start_s for window in summary.windows), float(measurements.scheduled_s[-1])]
    for name, color in (("p50_ms", "C2"), ("p99_ms", "C1")):
        values = np.array(
            [getattr(window.latency, name) for window in [*summary.windows, summary.windows[-1]]]
        )
        axis.step(
            steps_s,
            np.where(np.isfinite(values), values, np.nan),
            where="post",
            color=color,
            label=name[:3],
        )
    highest_ms = float(latency_ms[answered].max()) if answered.size else 1.0
    for ends, color, label in (
        (np.isinf(latency_ms), "C3", "no answer in time"),
        (np.isnan(latency_ms), "k", "failed"),
    ):
        if ends.any():
            places = np.full(int(ends.sum()), 1.05 * highest_ms)
            axis.scatter(
                measurements.scheduled_s[ends],
                places,
                s=12,
                marker="x",
                color=color,
                label=label,
                rasterized=True,
            )
    axis.set_xlabel("seconds into the test at which a request was due")
    axis.set_ylabel("latency, ms")
    axis.set_ylim(bottom=0.0)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_over_percentiles(axis: Axes, measurements: Measurements) -> None:
    """Draw time over percentiles; each step right is a tenth of the requests of the one before.

    The slowest requests are thus seen as well.
    """
    for name, values_s in (
        ("latency", measurements.latency_s),
        ("service time", measurements.service_time_s),
    ):
        ascending_ms = 1000.0 * np.sort(values_s[~np.isnan(values_s)])
        beyond = 1.0 - np.arange(ascending_ms.size) / max(ascending_ms.size, 1)
        answered = np.isfinite(ascending_ms)
        axis.plot(_places(beyond[answered]), ascending_ms[answered], label=name)
    ticks = [tick for tick in _TICKS if 1.0 - tick >= 0.5 / max(measurements.scheduled_s.size, 1)]
    axis.set_xticks(_places(1.0 - np.array(ticks)), [f"{100.0 * tick:g} %" for tick in ticks])
    axis.set_xlabel("share of the requests that were at least as quick")
    axis.set_ylabel("ms")
    axis.set_ylim(bottom=0.0)
    axis.grid(visible=True, alpha=0.3)
    axis.legend(loc="upper left")


def _places(beyond: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the places of percentiles, given the shares beyond them: 90 % at 1, 99 % at 2."""
    return -np.log10(beyond)
