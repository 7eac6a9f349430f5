"""The component that evaluates a candidate beside the blessed model, and blesses or refuses it.

TFX's own Evaluator cannot hold the interval of a difference against a tolerance, does not know
features derived for slices, and fails on a baseline that lacks a task or cannot read today's
examples.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation import evaluate, evaluation_files
from pipeline.evaluate.evaluation_result import EvaluationResult, write_evaluation
from pipeline.evaluate.metrics.eval_config import BASELINE, CANDIDATE
from pipeline.evaluate.scoring import BATCH_ROWS, Scorer
from pipeline.evaluate.seesaw_gate import task_verdicts
from pipeline.evaluate.tfma_files import read_metrics, read_plots
from pipeline.evaluate.tfma_results import measurements
from pipeline.evaluate.values_by_part import read_values_by_part
from pipeline.runner.node_errors import cause_of
from pipeline.step_specs import evaluation_spec
from pipeline.workspace.artifact_files import is_file, write_bytes
from pipeline.workspace.example_files import example_batches

_TRIED_EXAMPLES = 16


class _Executor(base_beam_executor.BaseBeamExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        spec = parse_spec(exec_properties["spec"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        folders = {CANDIDATE: path_utils.serving_model_path(model.uri)}
        compared: set[str] | None = None
        note = ""
        for baseline in input_dict.get("baseline_model", []):
            folders[BASELINE] = path_utils.serving_model_path(baseline.uri)
            # `LastPushedModel` gives an empty artifact where nothing has been pushed.
            if is_file(f"{folders[BASELINE]}/saved_model.pb"):
                compared, note = _compared(spec, folders[BASELINE], examples)
        if compared is None:
            folders.pop(BASELINE, None)
        evaluation = artifact_utils.get_single_instance(output_dict["evaluation"])
        with self._make_beam_pipeline() as pipeline:
            evaluate(
                pipeline,
                spec=spec,
                examples=examples,
                folders=folders,
                compared=compared,
                out=evaluation.uri,
            )
        result = _result(spec, evaluation.uri, note)
        write_evaluation(result, evaluation.uri)
        _bless(artifact_utils.get_single_instance(output_dict["blessing"]), model, result)


def _compared(
    spec: FeatureSpec, folder: str, examples: types.Artifact
) -> tuple[set[str] | None, str]:
    """Return the outputs that can be compared, None if the baseline cannot be used, and a note."""
    try:
        baseline = Scorer(folder)
        try:
            for batch in example_batches(evaluation_files(examples)[:1], BATCH_ROWS):
                baseline.scores(batch[:_TRIED_EXAMPLES])
                break
        finally:
            baseline.close()
    except (tf.errors.OpError, ValueError, KeyError, OSError) as error:
        return (
            None,
            f"not compared: the blessed model cannot score these examples ({cause_of(error)})",
        )
    missing = sorted(set(spec.judged_tasks) - baseline.outputs)
    return (
        set(baseline.outputs),
        f"not compared: the blessed model does not have {', '.join(missing)}" if missing else "",
    )


def _result(spec: FeatureSpec, folder: str, note: str) -> EvaluationResult:
    measured = measurements(spec, read_metrics(folder), read_plots(folder))
    by_part = read_values_by_part(folder)
    return EvaluationResult(
        tasks=[
            dataclasses.replace(verdict, by_part=by_part.get(verdict.task))
            for verdict in task_verdicts(spec, measured)
        ],
        ranking=measured.get(names.RANKING_SCORE, []),
        baseline_note=note,
    )


def _bless(blessing: types.Artifact, model: types.Artifact, result: EvaluationResult) -> None:
    """Set the properties and write the file that readers of TFX's blessing expect."""
    blessed = not any(verdict.refusals for verdict in result.tasks)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    write_bytes(f"{blessing.uri}/{name}", b"")


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {"spec": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Evaluates a candidate model beside the blessed one and blesses or refuses it.

    Args:
        spec: the feature spec; a change of what the Evaluator does not read re-runs nothing.
        examples: an Examples channel, whose evaluation split judges the model.
        model: the Model channel of the candidate.
        baseline_model: the Model channel of the blessed model. It may hold no artifact or an empty
            one. None: the candidate is compared with nothing.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(_Executor)

    def __init__(
        self,
        *,
        spec: FeatureSpec,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            spec=_Spec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                spec=evaluation_spec(spec),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
