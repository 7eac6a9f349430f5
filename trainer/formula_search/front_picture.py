"""The Pareto front of a formula search as a picture: one panel a pair of objectives."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.formula_search.found_formula import FoundFormula
from trainer.formula_search.objective import FormulaSearchError

FORMATS = (".png", ".svg", ".pdf")
_PANELS_A_ROW = 3


def check_picture(path: Path, objectives: int) -> None:
    """Check before a search that its picture can be drawn.

    Raises:
        FormulaSearchError: the suffix is not one of `FORMATS`, or there is only one objective.
    """
    if path.suffix not in FORMATS:
        raise FormulaSearchError(
            f"--picture {path}: a name that ends in {', '.join(FORMATS)} is needed"
        )
    if objectives < 2:
        raise FormulaSearchError(
            f"--picture {path}: a Pareto front needs two objectives or more; received {objectives}"
        )


def save_front(path: Path, found: FoundFormula) -> None:
    """Draw the front into a file, whose suffix is one of `FORMATS`.

    Raises:
        OSError: the file cannot be written.
    """
    pairs = list(itertools.combinations(range(len(found.found.held_out)), 2))
    rows, columns = -(-len(pairs) // _PANELS_A_ROW), min(len(pairs), _PANELS_A_ROW)
    figure = Figure(figsize=(1.0 + 5.0 * columns, 0.8 + 4.5 * rows), layout="constrained")
    figure.suptitle(
        f"{found.spec}: differences to the current formula\non held-out groups, with 95 % intervals"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (x, y) in zip(axes, pairs, strict=False):
        _draw(axis, found, x, y)
    for axis in axes[len(pairs) :]:
        axis.set_visible(False)
    axes[0].legend(loc="best")
    figure.savefig(path, dpi=120)


def _draw(axis: Axes, found: FoundFormula, x: int, y: int) -> None:
    points = np.array(
        [
            [(one.difference, one.lower, one.upper) for one in point.held_out]
            for point in found.front
        ]
    )
    centre, lower, upper = np.moveaxis(points[:, [x, y]], 2, 0)
    rest = np.arange(len(points)) != found.chosen
    for shown, color, label, size, width in (
        (rest, "C0", "Pareto front", 3, 0.5),
        (~rest, "C1", "chosen", 7, 2.0),
    ):
        axis.errorbar(
            centre[shown, 0],
            centre[shown, 1],
            xerr=_lengths(centre[shown, 0], lower[shown, 0], upper[shown, 0]),
            yerr=_lengths(centre[shown, 1], lower[shown, 1], upper[shown, 1]),
            fmt="o",
            markersize=size,
            color=color,
            elinewidth=width,
            label=label,
        )
    axis.axhline(0.0, color="grey", linewidth=0.8)
    axis.axvline(0.0, color="grey", linewidth=0.8)
    axis.plot([0.0], [0.0], "k+", markersize=12, label="current")
    axis.set_xlabel(f"{found.found.held_out[x].objective} a group")
    axis.set_ylabel(f"{found.found.held_out[y].objective} a group")


def _lengths(
    centre: npt.NDArray[np.float64], lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the lengths of error bars below and above the centre."""
    return np.maximum([centre - lower, upper - centre], 0.0)
