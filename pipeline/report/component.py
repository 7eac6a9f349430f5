"""The component that writes the report of a run. Importing this loads TFX."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec.spec import FeatureSpec
from pipeline.report.data import load_run as gathering
from pipeline.report.run_report import run_report
from pipeline.workspace.artifact_files import write_bytes
from pipeline.workspace.artifact_types import DriftReport, Insight, Report

REPORT_FILE = "report.html"

_KEYS = {
    "examples": gathering.EXAMPLES,
    "anomalies": gathering.ANOMALIES,
    "model": gathering.MODEL,
    "model_run": gathering.MODEL_RUN,
    "insight": gathering.INSIGHT,
    "evaluation": gathering.EVALUATION,
    "infra_blessing": gathering.PUSH_CHECK,
    "gain": gathering.GAIN,
    "drift": gathering.DRIFT,
}


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        [pushed], [report] = input_dict["pushed_model"], output_dict["report"]
        run = gathering.gathered_run(
            {
                key: artifact.uri
                for name, key in _KEYS.items()
                for artifact in input_dict.get(name, [])
            },
            name=exec_properties["spec_name"],
            spec_name=exec_properties["spec_name"],
            began=self._context.pipeline_run_id or "",
            version=int(pushed.get_string_custom_property("pushed_version"))
            if pushed.get_int_custom_property("pushed")
            else None,
        )
        write_bytes(f"{report.uri}/{REPORT_FILE}", run_report(run).encode())


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"spec_name": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "insight": component_spec.ChannelParameter(type=Insight),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "infra_blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
        "gain": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "drift": component_spec.ChannelParameter(type=DriftReport, optional=True),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=Report)}


class RunReport(base_component.BaseComponent):
    """Writes the page that `fulcrum report` shows, whether the model was pushed or refused.

    Args:
        spec: the feature spec, of which the page shows the name.
        inputs: outputs of the other components: `examples`, `anomalies`, `model`, `model_run`,
            `insight`, `evaluation`, `infra_blessing` and `pushed_model`; `gain` of `MtlGain` and
            `drift` of `DriftCheck` where there are such components.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(self, *, spec: FeatureSpec, **inputs: types.BaseChannel) -> None:
        super().__init__(
            spec=_Spec(spec_name=spec.name, report=types.Channel(type=Report), **inputs)
        )
