"""MTL gain: the sign of each metric, negative transfer and the seesaw by name."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from feature_spec.loading import parse_spec
from pipeline.evaluate.evaluation_result import CalibrationBucket, Estimate, Measurement
from pipeline.evaluate.task_gains import (
    MtlGains,
    gains_table,
    gains_text,
    mtl_gains,
    read_gains,
    write_gains,
)

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: categorical}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.5, tolerance: 0.01}
  watch: {kind: regression, label: {rule: column, column: b}, metric: mse, threshold: 0.5, tolerance: 0.01}
ranking_formula: {weights: {click: 1}}
""")


def measured(
    metric: str, together: float | None, alone: float | None, half_width: float | None, **place: str
) -> Measurement:
    """Without a half-width there is no interval."""
    change = None if together is None or alone is None else together - alone
    return Measurement(
        field=place.get("field", ""), value=place.get("value", ""), example_count=10,
        metrics={metric: Estimate(value=together)}, baseline={metric: Estimate(value=alone)},
        changes={} if change is None else {metric: Estimate(value=change)} if half_width is None else
        {metric: Estimate(value=change, lower=change - half_width, upper=change + half_width)},
    )  # fmt: skip


def gains(
    click: tuple[float | None, float | None],
    watch: tuple[float | None, float | None],
    half_width: float | None = 0.0,
) -> MtlGains:
    return mtl_gains(
        SPEC,
        {
            "click": [measured("auc", *click, half_width)],
            "watch": [measured("mse", *watch, half_width)],
        },
    )


def shown(found: MtlGains) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=140)
    console.print(gains_table(found))
    console.print(gains_text(found))
    return stream.getvalue()


def test_a_higher_auc_and_a_lower_squared_error_are_both_gains() -> None:
    # .75 − .70 = .05 where higher is better; .12 − .10 = .02 where lower is.
    click, watch = gains((0.75, 0.70), (0.10, 0.12)).tasks
    assert click.gain is not None
    assert watch.gain is not None
    assert (click.gain.value, watch.gain.value) == (pytest.approx(0.05), pytest.approx(0.02))


def test_the_interval_of_a_squared_error_is_turned_with_its_sign() -> None:
    # The error changes by −.02 within (−.05, .01): the gain is .02 within (−.01, .05).
    [_, watch] = gains((0.75, 0.70), (0.10, 0.12), half_width=0.03).tasks
    assert watch.gain is not None
    assert (watch.gain.lower, watch.gain.upper) == (pytest.approx(-0.01), pytest.approx(0.05))
    assert watch.is_noise


def test_a_task_that_is_worse_than_alone_is_negative_transfer_and_beside_one_that_gains_a_seesaw() -> (
    None
):
    found = gains((0.75, 0.70), (0.14, 0.12))
    assert found.negative_transfer == ["watch"]
    assert found.seesaw
    assert "Seesaw: click gained, watch lost (negative transfer)" in shown(found)


def test_without_an_interval_nobody_can_tell_and_nothing_is_beyond_noise() -> None:
    found = gains((0.75, 0.70), (0.14, 0.12), half_width=None)
    assert found.seesaw
    assert not found.seesaw_beyond_noise
    assert not any(gain.is_clear or gain.is_noise for gain in found.tasks)
    assert shown(found).count("cannot tell: no interval") == 2
    assert "+0.0500 (no interval)" in shown(found)
    assert "Seesaw (not both beyond noise)" in shown(found)


def test_negative_transfer_within_noise_is_told_as_such() -> None:
    for half_width in (None, 0.3):
        found = gains((0.65, 0.70), (0.14, 0.12), half_width=half_width)
        assert "Negative transfer (not beyond noise): click, watch" in shown(found)


def test_negative_transfer_of_all_tasks_is_no_seesaw() -> None:
    found = gains((0.65, 0.70), (0.14, 0.12))
    assert found.negative_transfer == ["click", "watch"]
    assert not found.seesaw
    assert "Negative transfer: click, watch" in shown(found)


def test_gains_of_all_tasks_are_no_negative_transfer() -> None:
    found = gains((0.75, 0.70), (0.10, 0.12))
    assert (found.gaining, found.negative_transfer, found.seesaw) == (["click", "watch"], [], False)
    assert "No negative transfer" in shown(found)


def test_a_seesaw_within_noise_is_called_so() -> None:
    # Gains of +.05 and −.02, each ± .03: only the first is beyond noise.
    found = gains((0.75, 0.70), (0.14, 0.12), half_width=0.03)
    assert found.seesaw
    assert not found.seesaw_beyond_noise
    text = shown(found)
    assert "Seesaw (not both beyond noise)" in text
    assert "negative transfer, within noise" in text


def test_a_task_whose_metric_cannot_be_computed_is_neither_gain_nor_loss() -> None:
    found = gains((None, 0.70), (0.14, 0.12))
    assert found.tasks[0].gain is None
    assert (found.gaining, found.negative_transfer, found.seesaw) == ([], ["watch"], False)
    assert "cannot be computed" in shown(found)


def test_slices_are_told_apart_from_the_whole_split() -> None:
    on_slice = measured("auc", 0.6, 0.7, 0.0, field="x", value="new")
    found = mtl_gains(SPEC, {"click": [measured("auc", 0.75, 0.70, 0.0), on_slice]})
    assert [(gain.field, gain.value) for gain in found.slices] == [("x", "new")]
    # A slice that loses does not make the task one that loses.
    assert found.negative_transfer == []


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = gains((0.75, 0.70), (0.14, None))
    write_gains(found, str(tmp_path))
    assert read_gains(str(tmp_path)) == found


def test_a_task_with_too_few_positives_neither_gains_nor_loses() -> None:
    few = [CalibrationBucket(example_count=100, mean_score=0.5, mean_label=0.03)]
    losing = dataclasses.replace(
        measured("auc", 0.6, 0.7, 0.01), example_count=100, calibration=few
    )
    found = mtl_gains(SPEC, {"click": [losing], "watch": [measured("mse", 0.1, 0.2, 0.01)]})
    assert (found.gaining, found.negative_transfer, found.seesaw) == (["watch"], [], False)
    assert found.tasks[0].too_few == "too few to tell (3 positives)"
    assert not found.tasks[0].is_clear
    console = Console(file=io.StringIO(), width=160)
    console.print(gains_table(found))
    told = console.file.getvalue()
    assert "100 (3 positives)" in told
    assert "too few to tell (3 positives)" in told
