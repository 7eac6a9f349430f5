"""The components that inspect the model and write the report of a run."""

from __future__ import annotations

import importlib
import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from feature_spec.spec import FeatureSpec
from pipeline.report.data.load_run import (
    ANOMALIES,
    DRIFT,
    EVALUATION,
    EXAMPLES,
    GAIN,
    INSIGHT,
    INSIGHT_FILE,
    MODEL,
    MODEL_RUN,
    PUSH_CHECK,
    STATISTICS,
    load_run,
)
from pipeline.report.run_report import run_report
from pipeline.workspace.artifact_files import local_copy, matching_files, write_bytes
from pipeline.workspace.artifact_types import DriftReport, Insight, Report


class _ModelInsightExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        module, _, function = exec_properties["look"].rpartition(".")
        split = artifact_utils.get_split_uri(input_dict["examples"], names.EVALUATION)
        with local_copy(
            path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        ) as model:
            found = getattr(importlib.import_module(module), function)(
                model=model, example_files=matching_files(split, "*")
            )
        folder = artifact_utils.get_single_uri(output_dict["insight"])
        write_bytes(
            f"{folder}/{INSIGHT_FILE}", json.dumps(found.model_dump(mode="json"), indent=1).encode()
        )


class _ModelInsightSpec(component_spec.ComponentSpec):
    PARAMETERS = {"look": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"insight": component_spec.ChannelParameter(type=Insight)}


class ModelInsight(base_component.BaseComponent):
    """Inspects a model on logged examples, so that reports need neither the model nor TensorFlow.

    Args:
        model: the Model channel of the trainer's export, blessed or not.
        examples: an Examples channel, whose evaluation split is scored.
        look: import path of a function with the signature of `trainer.model_insight.model_insight`.
    """

    SPEC_CLASS = _ModelInsightSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_ModelInsightExecutor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        look: str = "trainer.model_insight.model_insight",
    ) -> None:
        super().__init__(
            spec=_ModelInsightSpec(
                model=model, examples=examples, look=look, insight=types.Channel(type=Insight)
            )
        )


REPORT_FILE = "report.html"

_KEYS = {
    "examples": EXAMPLES,
    "statistics": STATISTICS,
    "anomalies": ANOMALIES,
    "model": MODEL,
    "model_run": MODEL_RUN,
    "insight": INSIGHT,
    "evaluation": EVALUATION,
    "infra_blessing": PUSH_CHECK,
    "gain": GAIN,
    "drift": DRIFT,
}


class _RunReportExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        [pushed], [report] = input_dict["pushed_model"], output_dict["report"]
        run = load_run(
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


class _RunReportSpec(component_spec.ComponentSpec):
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
        "statistics": component_spec.ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=Report)}


class RunReport(base_component.BaseComponent):
    """Writes the page that `fulcrum report` shows, whether the model was pushed or refused.

    Args:
        spec: the feature spec, of which the page shows the name.
        inputs: outputs of the other components: `examples`, `anomalies`, `model`, `model_run`,
            `insight`, `evaluation`, `infra_blessing` and `pushed_model`; `gain` of `MtlGain`,
            `drift` of `DriftCheck` and `statistics` of StatisticsGen where there are such
            components.
    """

    SPEC_CLASS = _RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_RunReportExecutor)

    def __init__(self, *, spec: FeatureSpec, **inputs: types.BaseChannel) -> None:
        super().__init__(
            spec=_RunReportSpec(spec_name=spec.name, report=types.Channel(type=Report), **inputs)
        )
