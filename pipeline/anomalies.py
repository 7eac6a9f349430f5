"""Anomalies: where ingested examples differ from the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """One difference.

    Attributes:
        feature: name of the feature.
        split: split of the examples.
        severity: TFDV's, such as ERROR.
        what: what was found and what the schema wants.
    """

    feature: str
    split: str
    severity: str
    what: str


class AnomaliesFoundError(ValueError):
    """Names the features; the table of all anomalies is a note (`__notes__`)."""

    def __init__(self, anomalies: Sequence[Anomaly]) -> None:
        features = sorted({anomaly.feature for anomaly in anomalies})
        count = len(anomalies)
        super().__init__(f"{count} {'anomaly' if count == 1 else 'anomalies'} in the examples, of {', '.join(features)}")
        self.add_note(_table(anomalies))


def _table(anomalies: Sequence[Anomaly]) -> str:
    rows = [("feature", "split", "severity", "what"), *map(astuple, anomalies)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
