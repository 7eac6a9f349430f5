"""The section on calibration: curves of the evaluation, and what the export's calibration changed."""

from __future__ import annotations

import dataclasses

from feature_spec.artifacts.calibration import CalibrationReport
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Table
from pipeline.report.sections.calibration import calibration_section


def agreement(ratio, loss):
    return {
        "predicted_over_observed": ratio,
        "log_loss": loss,
        "buckets": [{"examples": 9.0, "mean_score": 0.25, "mean_label": 0.5}],
    }


CALIBRATION = CalibrationReport.model_validate(
    {
        "by": "tab",
        "shrinkage": 25.0,
        "tasks": [
            {
                "task": "click", "method": "isotonic", "examples": 8000, "positives": 1600.0,
                "curve": {"logits": [0.0, 1.0], "calibrated": [0.0, 2.0], "slope": 0.75},
                "shifts": [
                    {"row": 2, "value": "feed", "examples": 7000, "positives": 900.0, "shift": -0.125},
                    {"row": 3, "value": "search", "examples": 1000, "positives": 700.0, "shift": 0.25},
                ],
                "before": agreement(1.25, 0.5), "after": agreement(1.0, 0.4375),
            },
            {
                "task": "like", "method": "isotonic", "examples": 8000, "positives": 3.0,
                "not_fitted": "too few to tell (3 positives)",
            },
        ],
    }
)  # fmt: skip


def with_calibration(run: RunData) -> RunData:
    assert run.insight is not None
    inspection = run.insight.inspection.model_copy(update={"calibration": CALIBRATION})
    return dataclasses.replace(
        run, insight=run.insight.model_copy(update={"inspection": inspection})
    )


def tables(*runs: RunData) -> list[Table]:
    return [block for block in calibration_section(runs).blocks if isinstance(block, Table)]


def test_a_run_without_a_calibration_has_no_table(run: RunData) -> None:
    assert tables(run) == []


def test_tasks_are_told_before_and_after_and_slices_by_their_shifts(run: RunData) -> None:
    changed, shifts = tables(with_calibration(run))
    assert changed.caption == "What the calibration changed"
    assert list(changed.rows) == [
        ["click", "isotonic", "8,000", "1,600", "1.250", "1.000", "0.5000", "0.4375"],
        ["like", "isotonic", "8,000", "3", "too few to tell (3 positives)", "", "", ""],
    ]
    assert list(shifts.rows) == [
        ["click", "search", "1,000", "700", "+0.250"],
        ["click", "feed", "7,000", "900", "-0.125"],
    ]
    assert shifts.folded


def test_in_a_comparison_each_table_names_its_run(run: RunData) -> None:
    other = dataclasses.replace(with_calibration(run), name="other")
    captions = [table.caption for table in tables(run, other)]
    assert captions == [
        "What the calibration of other changed",
        "The largest shifts of logits by tab of other",
    ]
