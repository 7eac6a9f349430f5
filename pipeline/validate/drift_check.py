"""The components that compare statistics with those of an earlier run, and stop the run where they are too far apart.

TFX's DistributionValidator does not run in a synchronous pipeline whose first run has nothing to
compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from feature_spec.sections.distribution import DistributionThreshold
from pipeline.validate.distribution_shift import field_shifts
from pipeline.validate.drift import DriftFoundError, DriftResult, read_drift, write_drift
from pipeline.workspace.artifact_types import DriftReport

_THRESHOLDS = TypeAdapter(dict[str, DistributionThreshold])


class _ComparingExecutor(base_executor.BaseExecutor):
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


class _CheckSpec(component_spec.ComponentSpec):
    PARAMETERS = {"thresholds": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "previous": component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }
    OUTPUTS = {"drift": component_spec.ChannelParameter(type=DriftReport)}


class DriftCheck(base_component.BaseComponent):
    """Compares the train splits of two statistics.

    Args:
        statistics: of this run.
        previous: of an earlier one, or nothing.
        thresholds: by field.
    """

    SPEC_CLASS = _CheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_ComparingExecutor)

    def __init__(
        self,
        *,
        statistics: types.BaseChannel,
        previous: types.BaseChannel,
        thresholds: Mapping[str, DistributionThreshold],
    ) -> None:
        text = _THRESHOLDS.dump_json(dict(thresholds), exclude_none=True).decode()
        super().__init__(
            spec=_CheckSpec(
                statistics=statistics,
                previous=previous,
                thresholds=text,
                drift=types.Channel(type=DriftReport),
            )
        )


class _GateExecutor(base_executor.BaseExecutor):
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


class _GateSpec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {"drift": component_spec.ChannelParameter(type=DriftReport)}
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class DriftGate(base_component.BaseComponent):
    """Fails on drift beyond a threshold; nodes that must not see such examples name it with `add_upstream_node`."""

    SPEC_CLASS = _GateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_GateExecutor)

    def __init__(self, drift: types.BaseChannel) -> None:
        super().__init__(spec=_GateSpec(drift=drift))
