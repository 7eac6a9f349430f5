"""The error that stops the pipeline names features, splits and reasons."""

from __future__ import annotations

from pipeline.validate.anomalies import AnomaliesFoundError, Anomaly

MISSING = Anomaly(feature="age", split="train", severity="ERROR", what="Column dropped")
OUT_OF_RANGE = Anomaly(
    feature="duration_s",
    split="evaluation",
    severity="WARNING",
    what="Unexpectedly low values: -1 < 0",
)


def test_the_message_counts_the_anomalies_and_names_each_feature_once() -> None:
    error = AnomaliesFoundError([MISSING, OUT_OF_RANGE, MISSING])
    assert str(error) == "3 anomalies in the examples, of age, duration_s"
    assert str(AnomaliesFoundError([MISSING])) == "1 anomaly in the examples, of age"


def test_the_table_has_a_line_for_each_anomaly_in_columns() -> None:
    [table] = AnomaliesFoundError([MISSING, OUT_OF_RANGE]).__notes__
    assert table.splitlines() == [
        "feature     split       severity  what",
        "age         train       ERROR     Column dropped",
        "duration_s  evaluation  WARNING   Unexpectedly low values: -1 < 0",
    ]
