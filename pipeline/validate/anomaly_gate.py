"""A component that stops the pipeline when ExampleValidator has found anomalies, and says which."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from pipeline.validate.anomalies import AnomaliesFoundError, read_anomalies


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        found = read_anomalies(artifact_utils.get_single_uri(input_dict["anomalies"]))
        if found:
            raise AnomaliesFoundError(found)


class _Spec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies)
    }
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails on any anomaly; nodes that must not see bad examples name it with `add_upstream_node`."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, anomalies: types.BaseChannel) -> None:
        super().__init__(spec=_Spec(anomalies=anomalies))
