"""A component that stops the pipeline when ExampleValidator has found anomalies, and says which."""

from __future__ import annotations

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from pipeline.anomalies import AnomaliesFoundError, Anomaly


def anomalies_of(artifact: types.Artifact) -> list[Anomaly]:
    """All anomalies in an `ExampleAnomalies` artifact, by split and feature."""
    found = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        path = os.path.join(artifact_utils.get_split_uri([artifact], split), DEFAULT_FILE_NAME)
        with open(path, "rb") as file:
            found += _of_split(split, anomalies_pb2.Anomalies.FromString(file.read()))
    return found


def _of_split(split: str, anomalies: anomalies_pb2.Anomalies) -> list[Anomaly]:
    severity_name = anomalies_pb2.AnomalyInfo.Severity.Name
    by_feature = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        by_feature.append(("(all examples)", anomalies.dataset_anomaly_info))
    return [
        Anomaly(feature=feature, split=split, severity=severity_name(info.severity), what=info.description)
        for feature, info in by_feature
    ]


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(self, input_dict: ArtifactMultiDict, output_dict: ArtifactMultiDict, exec_properties: dict[str, Any]) -> None:
        found = anomalies_of(artifact_utils.get_single_instance(input_dict["anomalies"]))
        if found:
            raise AnomaliesFoundError(found)


class _Spec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {"anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies)}
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails on any anomaly; nodes that must not see bad examples name it with `add_upstream_node`."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, anomalies: types.BaseChannel) -> None:
        super().__init__(spec=_Spec(anomalies=anomalies))
