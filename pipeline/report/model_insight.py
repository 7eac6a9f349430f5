"""The component that lets a function look into the model with logged examples, for the report."""

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
from pipeline.report.data.load_run import INSIGHT_FILE
from pipeline.workspace.artifact_files import matching_files, write_bytes
from pipeline.workspace.artifact_types import Insight
from pipeline.workspace.local_copies import local_copy


class _Executor(base_executor.BaseExecutor):
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
        write_bytes(f"{folder}/{INSIGHT_FILE}", json.dumps(found, indent=1).encode())


class _Spec(component_spec.ComponentSpec):
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

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        look: str = "trainer.model_insight.model_insight",
    ) -> None:
        super().__init__(
            spec=_Spec(
                model=model, examples=examples, look=look, insight=types.Channel(type=Insight)
            )
        )
