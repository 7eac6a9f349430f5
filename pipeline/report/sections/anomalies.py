"""Where the examples differ from the schema that follows from the spec."""

from __future__ import annotations

from typing import Any

from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Cell, Note, Section, Table


def anomalies_section(run: RunData) -> Section:
    """TFDV's anomalies."""
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
        lead="Do the examples look as the spec says? A row is a feature that does not: missing too often, of the wrong type, "
        "or out of its bounds. Any anomaly stops the pipeline before training.",
        blocks=blocks,
    )
