"""Anomalies: differences between ingested examples and the schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from feature_spec.names import SPLITS
from pipeline.workspace.artifact_files import is_file, read_bytes

_FILE = "SchemaDiff.pb"


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A difference between examples and schema.

    Attributes:
        feature: the name of the feature.
        split: the split of the examples.
        severity: TFDV's severity, such as ERROR.
        what: a sentence on what was found and what the schema wants.
    """

    feature: str
    split: str
    severity: str
    what: str


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


def _of_split(split: str, anomalies: Any) -> Iterable[Anomaly]:
    by_feature = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        by_feature.append(("(all examples)", anomalies.dataset_anomaly_info))
    for feature, info in by_feature:
        severity = info.Severity.Name(info.severity)
        yield Anomaly(feature=feature, split=split, severity=severity, what=info.description)


def _table(anomalies: Sequence[Anomaly]) -> str:
    rows = [("feature", "split", "severity", "what"), *map(astuple, anomalies)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
