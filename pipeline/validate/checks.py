"""The components that check ingested examples, and stop a run.

TFX's DistributionValidator does not run in a synchronous pipeline whose first run has nothing to
compare with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from pydantic import TypeAdapter
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from feature_spec.sections import DistributionThreshold
from feature_spec.spec import FeatureSpec
from pipeline.validate.anomalies import AnomaliesFoundError, read_anomalies, tolerated
from pipeline.validate.distribution_shift import (
    DriftFoundError,
    DriftResult,
    field_shifts,
    read_drift,
    write_drift,
)
from pipeline.workspace.artifact_types import DriftReport


class _AnomalyGateExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        found = read_anomalies(artifact_utils.get_single_uri(input_dict["anomalies"]))
        passed = tolerated(found, json.loads(exec_properties.get("optional_fields") or "[]"))
        if found := [anomaly for anomaly in found if anomaly not in passed]:
            raise AnomaliesFoundError(found)


class _AnomalyGateSpec(component_spec.ComponentSpec):
    PARAMETERS = {"optional_fields": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies)
    }
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails on any anomaly.

    Nodes that must not see bad examples name this node with `add_upstream_node`.

    Args:
        anomalies: the ExampleAnomalies channel of ExampleValidator.
        optional_fields: the fields that the splits validation and evaluation may lack altogether.
    """

    SPEC_CLASS = _AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_AnomalyGateExecutor)

    def __init__(self, anomalies: types.BaseChannel, optional_fields: Sequence[str] = ()) -> None:
        names_of_fields = json.dumps(sorted(optional_fields))
        super().__init__(
            spec=_AnomalyGateSpec(anomalies=anomalies, optional_fields=names_of_fields)
        )


_THRESHOLDS = TypeAdapter(dict[str, DistributionThreshold])


class _DriftCheckExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        drift = DriftResult(is_compared=False, fields=[])
        if previous := input_dict.get("previous"):
            before, now = (
                stats_artifact_utils.load_statistics(
                    artifact_utils.get_single_instance(artifacts), names.TRAIN
                ).proto()
                for artifacts in (previous, input_dict["statistics"])
            )
            thresholds = _THRESHOLDS.validate_json(exec_properties["thresholds"])
            drift = DriftResult(is_compared=True, fields=field_shifts(thresholds, before, now))
        write_drift(drift, artifact_utils.get_single_uri(output_dict["drift"]))


class _DriftCheckSpec(component_spec.ComponentSpec):
    PARAMETERS = {"thresholds": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "previous": component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }
    OUTPUTS = {"drift": component_spec.ChannelParameter(type=DriftReport)}


class DriftCheck(base_component.BaseComponent):
    """Compares the train split's statistics of this run with those of an earlier run.

    Args:
        spec: the feature spec, with `drift.thresholds`.
        statistics: the ExampleStatistics channel of this run.
        previous: the ExampleStatistics channel of an earlier run, which may hold no artifact.
            None: nothing is compared.
    """

    SPEC_CLASS = _DriftCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_DriftCheckExecutor)

    def __init__(
        self,
        *,
        spec: FeatureSpec,
        statistics: types.BaseChannel,
        previous: types.BaseChannel | None = None,
    ) -> None:
        text = _THRESHOLDS.dump_json(spec.drift.thresholds, exclude_none=True).decode()
        super().__init__(
            spec=_DriftCheckSpec(
                statistics=statistics,
                previous=previous,
                thresholds=text,
                drift=types.Channel(type=DriftReport),
            )
        )


class _DriftGateExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        drift = read_drift(artifact_utils.get_single_uri(input_dict["drift"]))
        if drift.beyond:
            raise DriftFoundError(drift)


class _DriftGateSpec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {"drift": component_spec.ChannelParameter(type=DriftReport)}
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class DriftGate(base_component.BaseComponent):
    """Fails on drift beyond a threshold.

    Nodes that must not see drifted examples name this node with `add_upstream_node`.

    Args:
        drift: the DriftReport channel of `DriftCheck`.
    """

    SPEC_CLASS = _DriftGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_DriftGateExecutor)

    def __init__(self, drift: types.BaseChannel) -> None:
        super().__init__(spec=_DriftGateSpec(drift=drift))
