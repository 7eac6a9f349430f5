"""What a run warns of as soon as a node has ended well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import Artifact, artifact_utils

from feature_spec.names import TRAIN
from feature_spec.spec import FeatureSpec
from pipeline.ingest.accounting.ingest_warnings import ingestion_warnings
from pipeline.ingest.executor import read_summary
from pipeline.validate.anomalies import read_anomalies, tolerated
from pipeline.validate.number_columns import raw_number_warnings, transformed_number_warnings
from pipeline.validate.schema import optional_fields
from pipeline.workspace.artifact_files import matching_files

if TYPE_CHECKING:
    from pipeline.runner.local_runner import NodeRun


def node_warnings(
    node: str, runs: Mapping[str, NodeRun], spec: FeatureSpec, trainer_settings: str
) -> list[str]:
    """Return a sentence for each thing that may spoil the model.

    Args:
        node: the name of the node that has ended.
        runs: the nodes that have ended so far, with their outputs.
        spec: the feature spec.
        trainer_settings: JSON of the trainer's settings.
    """
    outputs = runs[node].outputs
    if node in ("LogsExampleGen", "WindowExampleGen"):
        batch_size = json.loads(trainer_settings).get("trainer", {}).get("batch_size")
        return ingestion_warnings(read_summary(outputs["examples"][0].uri), batch_size)
    if node == "ExampleValidator":
        anomalies = read_anomalies(outputs["anomalies"][0].uri)
        return [
            f"{anomaly.feature}: no example of the split {anomaly.split} has a value"
            for anomaly in tolerated(anomalies, optional_fields(spec))
        ]
    if node == "Transform":
        (statistics,) = runs["StatisticsGen"].outputs["statistics"]
        transformed = outputs.get("transformed_examples")
        files = [
            file
            for artifact in transformed or _training_examples(runs)
            for file in matching_files(artifact_utils.get_split_uri([artifact], TRAIN), "*")
        ]
        graph = None if transformed else outputs["transform_graph"][0].uri
        raw = stats_artifact_utils.load_statistics(statistics, TRAIN).proto()
        return [*raw_number_warnings(spec, raw), *transformed_number_warnings(spec, files, graph)]
    return []


def _training_examples(runs: Mapping[str, NodeRun]) -> Sequence[Artifact]:
    """Return the examples of all splits; those of a window in a run by span."""
    node = "WindowExampleGen" if "WindowExampleGen" in runs else "LogsExampleGen"
    return runs[node].outputs["examples"]
