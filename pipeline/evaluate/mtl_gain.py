"""The component that measures the MTL gain against networks of one task each."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation import evaluate
from pipeline.evaluate.metrics.eval_config import BASELINE, CANDIDATE
from pipeline.evaluate.task_gains import mtl_gains, write_gains
from pipeline.evaluate.tfma_files import read_metrics, read_plots
from pipeline.evaluate.tfma_results import measurements
from pipeline.step_specs import gain_spec


class _Executor(base_beam_executor.BaseBeamExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        spec = parse_spec(exec_properties["spec"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        # The networks of one task take the place of the blessed model, so that metrics and
        # intervals are computed as in the Evaluator.
        folders = {
            name: path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict[key]))
            for name, key in ((CANDIDATE, "model"), (BASELINE, "single_tasks"))
        }
        gain = artifact_utils.get_single_uri(output_dict["gain"])
        with self._make_beam_pipeline() as pipeline:
            evaluate(
                pipeline,
                spec=spec,
                examples=examples,
                folders=folders,
                compared=set(spec.judged_tasks),
                out=gain,
            )
        measured = measurements(spec, read_metrics(gain), read_plots(gain))
        write_gains(mtl_gains(spec, measured), gain)


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"spec": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "single_tasks": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"gain": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation)}


class MtlGain(base_beam_component.BaseBeamComponent):
    """Measures a multi-task model and networks of one task each on the same examples.

    Args:
        spec: the feature spec; a change of what is not read re-runs nothing.
        examples: an Examples channel, whose evaluation split is used.
        model: the Model channel of the network for all tasks.
        single_tasks: a Model channel whose one SavedModel holds a network for each task.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(_Executor)

    def __init__(
        self,
        *,
        spec: FeatureSpec,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        single_tasks: types.BaseChannel,
    ) -> None:
        super().__init__(
            spec=_Spec(
                examples=examples,
                model=model,
                single_tasks=single_tasks,
                spec=gain_spec(spec),
                gain=types.Channel(type=standard_artifacts.ModelEvaluation),
            )
        )
