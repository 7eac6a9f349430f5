"""Anomalies: differences between ingested examples and the schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from feature_spec.names import SPLITS, TRAIN
from pipeline.workspace.artifact_files import is_file, read_bytes

_FILE = "SchemaDiff.pb"
_ABSENCES = {"SCHEMA_MISSING_COLUMN", "FEATURE_TYPE_NOT_PRESENT"}


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A difference between examples and schema.

    Attributes:
        feature: the name of the feature.
        split: the split of the examples.
        severity: TFDV's severity, such as ERROR.
        what: a sentence on what was found and what the schema wants.
        is_absence: whether no example of the split has a value.
    """

    feature: str
    split: str
    severity: str
    what: str
    is_absence: bool = False


class AnomaliesFoundError(ValueError):
    """Examples have anomalies.

    The message names the features; a note (`__notes__`) holds the table of all anomalies.
    """

    def __init__(self, anomalies: Sequence[Anomaly]) -> None:
        features = sorted({anomaly.feature for anomaly in anomalies})
        count = len(anomalies)
        super().__init__(
            f"{count} {'anomaly' if count == 1 else 'anomalies'} in the examples, of "
            f"{', '.join(features)}"
        )
        self.add_note(_table(anomalies))


def read_anomalies(folder: str) -> list[Anomaly]:
    """Return all anomalies in the folder of an `ExampleAnomalies` artifact, by split and feature.

    Raises:
        FileNotFoundError: the folder is not one that ExampleValidator wrote.
    """
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

    files = {split: f"{folder}/Split-{split}/{_FILE}" for split in SPLITS}
    splits = [split for split, file in files.items() if is_file(file)]
    if not splits:
        raise FileNotFoundError(
            f"{folder} has no anomalies of any of the splits {', '.join(SPLITS)}"
        )
    found: list[Anomaly] = []
    for split in splits:
        found += _of_split(split, Anomalies.FromString(read_bytes(files[split])))
    return found


def tolerated(anomalies: Sequence[Anomaly], optional: Collection[str]) -> list[Anomaly]:
    """Return the anomalies that stop no run: fields that only a split that trains nothing lacks.

    Args:
        anomalies: the anomalies of all splits.
        optional: the names of fields that need no `min_presence`.
    """
    untrained = {
        anomaly.feature for anomaly in anomalies if anomaly.is_absence and anomaly.split == TRAIN
    }
    return [
        anomaly
        for anomaly in anomalies
        if anomaly.is_absence and anomaly.feature in optional and anomaly.feature not in untrained
    ]


def _of_split(split: str, anomalies: Any) -> Iterable[Anomaly]:
    by_feature = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        by_feature.append(("(all examples)", anomalies.dataset_anomaly_info))
    for feature, info in by_feature:
        severity = info.Severity.Name(info.severity)
        kinds = {info.Type.Name(reason.type) for reason in info.reason}
        yield Anomaly(
            feature=feature,
            split=split,
            severity=severity,
            what=info.description,
            is_absence=bool(kinds) and kinds <= _ABSENCES,
        )


def _table(anomalies: Sequence[Anomaly]) -> str:
    columns = ("feature", "split", "severity", "what")
    rows = [columns, *(tuple(getattr(one, column) for column in columns) for one in anomalies)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
