"""The report's training curves."""

import dataclasses

import pytest

from pipeline.report.sections.training import training_section


def pictures(run):
    return training_section([run]).blocks[-1].pictures


@pytest.mark.parametrize("curve", [[(1, 0.75)], [(1, 0.98), (2, 0.995)]])
def test_the_axes_hold_the_points_and_stay_in_the_range_of_the_metric(run, curve):
    curves = {"loss": [(1, 0.9)], "validation_loss": [(1, 0.8)], "validation_click": curve}
    _, click = pictures(dataclasses.replace(run, curves=curves))
    low, high = click.figure.layout.yaxis.range
    assert 0.0 <= low < curve[0][1] <= curve[-1][1] < high <= 1.0
    assert click.figure.layout.xaxis.range == (0.5, len(curve) + 0.5)
    # One point alone does not stand in a picture of the whole range.
    assert high - low < 0.2
