"""The sections on schema anomalies and on drift."""

from __future__ import annotations

from typing import Any

from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import BLUE, RED, figure, rows_height_px
from pipeline.report.elements.section import Cell, Note, Picture, Section, Table
from pipeline.validate.distribution_shift import DriftResult


def anomalies_section(run: RunData) -> Section:
    """Return the section on TFDV's anomalies."""
    blocks: list[Any]
    if run.anomalies is None:
        blocks = [Note("Not validated: the run did not get so far.", "warn")]
    elif not run.anomalies:
        blocks = [Note("No anomalies: all splits are as the schema wants them.", "good")]
    else:
        blocks = [
            Table(
                caption="Anomalies",
                columns=[
                    "Feature",
                    "Split",
                    "Severity",
                    "What was found, and what the schema wants",
                ],
                rows=[
                    [one.feature, one.split, Cell(one.severity, "bad"), one.what]
                    for one in run.anomalies
                ],
                texts=4,
            )
        ]
    return Section(
        anchor="anomalies",
        title="Schema anomalies",
        lead=(
            "Do the examples look as the spec says? A row is a feature that does not: missing "
            "too often, of the wrong type, or out of its bounds. Any anomaly stops the pipeline "
            "before training."
        ),
        blocks=blocks,
    )


def drift_section(run: RunData) -> Section:
    """Return the section on the distance of each field that has a threshold."""
    blocks: list[Any]
    if run.drift is None:
        blocks = [Note("Not measured: give fields a threshold in the section drift of the spec.")]
    elif not run.drift.is_compared:
        blocks = [
            Note(
                "No earlier run on this root has pushed a model that these examples could be "
                "compared with."
            )
        ]
    else:
        blocks = [_drift_picture(run.drift), _drift_table(run.drift)]
    return Section(
        anchor="drift",
        title="Drift",
        lead=(
            "Are these examples like those of the last run that pushed a model? A bar is a "
            "field of the train split: the distance of its distributions then and now, as a "
            "share of its threshold. Red bars are beyond it: look whether the world has changed "
            "or the logs."
        ),
        blocks=blocks,
    )


def _drift_picture(drift: DriftResult) -> Picture:
    shifts = [
        shift for shift in drift.fields if shift.distance is not None and shift.threshold > 0.0
    ]
    shares = [(shift.distance or 0.0) / shift.threshold for shift in shifts]
    made = figure(
        xaxis={
            "title": {"text": "distance over threshold"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        showlegend=False,
    )
    made.update_yaxes(autorange="reversed", type="category")
    made.add_bar(
        orientation="h",
        x=shares,
        y=[shift.field for shift in shifts],
        marker={"color": [RED if shift.is_beyond else BLUE for shift in shifts]},
        customdata=[
            [shift.measure.replace("_", " "), shift.distance, shift.threshold] for shift in shifts
        ],
        hovertemplate=(
            "<b>%{y}</b><br>%{customdata[0]} %{customdata[1]:.4f}, threshold "
            "%{customdata[2]:g}<extra></extra>"
        ),
    )
    made.add_vline(x=1.0, line={"color": RED, "dash": "dot", "width": 1.5})
    described = ", ".join(
        f"{shift.field} {share:.0%}" for shift, share in zip(shifts, shares, strict=True)
    )
    return Picture(
        title="Distance over threshold",
        describes=described,
        figure=made,
        height_px=rows_height_px(len(shifts), 30),
    )


def _drift_table(drift: DriftResult) -> Table:
    rows: list[list[str | Cell]] = []
    for shift in drift.fields:
        distance = "no values to compare" if shift.distance is None else f"{shift.distance:.4f}"
        verdict = Cell("beyond", "bad") if shift.is_beyond else Cell("within", "good")
        rows.append(
            [
                shift.field,
                verdict,
                shift.measure.replace("_", " "),
                distance,
                f"{shift.threshold:g}",
            ]
        )
    return Table(
        caption="Distances",
        columns=["Field", "Verdict", "Measure", "Distance", "Threshold"],
        rows=rows,
        texts=3,
    )
