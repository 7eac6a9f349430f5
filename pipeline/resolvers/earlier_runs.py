"""Artifacts of earlier runs that a run compares its own artifacts with."""

from __future__ import annotations

from typing import Any

import ml_metadata
from tfx import types
from tfx.components.evaluator import constants as evaluator_constants
from tfx.dsl.compiler import constants
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.components.common import resolver
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from pipeline.workspace.artifact_files import copy_folder, matching_folders


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """The last blessed model other than the candidate itself.

    A run that changes nothing has a candidate that is already blessed. A comparison with itself
    would be a new evaluation. A comparison with the same model as in the run that blessed it reuses
    every step.
    """

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Keep at most one model and its blessing; `candidate` stays as it is."""
        candidates = {model.id for model in input_dict["candidate"]}
        models = {model.id: model for model in input_dict["model"] if model.id not in candidates}
        for blessing in sorted(
            input_dict["blessing"], key=lambda artifact: artifact.id, reverse=True
        ):
            model = models.get(
                blessing.get_int_custom_property(
                    evaluator_constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
                )
            )
            if model is not None and blessing.get_int_custom_property(
                evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY
            ):
                return {**input_dict, "model": [model], "blessing": [blessing]}
        return {**input_dict, "model": [], "blessing": []}


def baseline_resolver(candidate: types.BaseChannel) -> resolver.Resolver:
    """Return the node whose output `model` holds the baseline, or nothing."""
    return resolver.Resolver(
        strategy_class=LatestOtherBlessedModel,
        candidate=candidate,
        model=types.Channel(type=standard_artifacts.Model),
        blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Baseline")


class LastPushedStatistics(resolver.ResolverStrategy):
    """The statistics of the last run that pushed a model, other than the current ones.

    A run on the same examples is compared with the same statistics as the run before it, so that
    every step is reused.
    """

    @override
    def resolve_artifacts(
        self, store: ml_metadata.MetadataStore, input_dict: ArtifactMultiDict
    ) -> ArtifactMultiDict:
        """Keep at most one artifact of `statistics`; `current` stays as it is."""
        current = {artifact.id for artifact in input_dict["current"]}
        others = {
            artifact.id: artifact
            for artifact in input_dict["statistics"]
            if artifact.id not in current
        }
        pushed = {
            artifact.id
            for artifact in input_dict["pushed_model"]
            if artifact.get_int_custom_property("pushed")
        }
        runs = store.get_contexts_by_type(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME)
        for run in sorted(runs, key=lambda context: context.id, reverse=True):
            of_run = {artifact.id for artifact in store.get_artifacts_by_context(run.id)}
            found = others.keys() & of_run
            if found and pushed & of_run:
                return {**input_dict, "statistics": [others[max(found)]]}
        return {**input_dict, "statistics": []}


def previous_statistics_resolver(current: types.BaseChannel) -> resolver.Resolver:
    """Return the node whose output `statistics` holds the statistics, or nothing."""
    return resolver.Resolver(
        strategy_class=LastPushedStatistics,
        current=current,
        statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        pushed_model=types.Channel(type=standard_artifacts.PushedModel),
    ).with_id("PreviousStatistics")


class _LastPushedModelExecutor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        folder = exec_properties["serving_model"]
        names = [path.rpartition("/")[2] for path in matching_folders(folder, "*")]
        if versions := [int(name) for name in names if name.isdecimal()]:
            model = artifact_utils.get_single_uri(output_dict["model"])
            copy_folder(f"{folder}/{max(versions)}", path_utils.serving_model_dir(model))


class _LastPushedModelSpec(component_spec.ComponentSpec):
    PARAMETERS = {"serving_model": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class LastPushedModel(base_component.BaseComponent):
    """Copies the newest version below a folder; the artifact stays empty where there is none.

    Kubeflow Pipelines runs no resolvers, and none of TFX's components leaves out the candidate. A
    candidate is never among the versions, because it is pushed after the comparison.

    Args:
        serving_model: the folder or URI of pushed models.
    """

    SPEC_CLASS = _LastPushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_LastPushedModelExecutor)

    def __init__(self, serving_model: str) -> None:
        super().__init__(
            spec=_LastPushedModelSpec(
                serving_model=serving_model, model=types.Channel(type=standard_artifacts.Model)
            )
        )
