"""The check before a push, which serves the version on trial.

It takes the place of TFX's InfraValidator, which needs Docker or Kubernetes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import path_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from feature_spec.artifacts.push_check_report import REPORT_FILE, PushCheckReport
from feature_spec.spec import FeatureSpec
from pipeline.step_specs import serving_spec
from pipeline.workspace.artifact_files import (
    copy_file,
    filled_folder,
    is_file,
    local_copy,
    matching_files,
    read_bytes,
    remove_folder,
    write_bytes,
)


def push_check_report(blessing: types.Artifact) -> PushCheckReport | None:
    """Return the findings of the check; None where the model had been refused before."""
    path = f"{blessing.uri}/{REPORT_FILE}"
    return PushCheckReport.from_json(read_bytes(path)) if is_file(path) else None


def forget_refusals(artifacts: str) -> None:
    """Remove the outputs of checks that refused, so that no run reuses them.

    The machine may have been busy.
    """
    for report in matching_files(artifacts, f"{PushCheck.__name__}/infra_blessing/*/{REPORT_FILE}"):
        if PushCheckReport.from_json(read_bytes(report)).refusals:
            remove_folder(report.removesuffix(f"/{REPORT_FILE}"))


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        blessing = artifact_utils.get_single_instance(output_dict["infra_blessing"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        if not model_utils.is_model_blessed(
            artifact_utils.get_single_instance(input_dict["model_blessing"])
        ):
            blessing.set_int_custom_property("blessed", 0)
            return
        module, _, function = exec_properties["check"].rpartition(".")
        split = artifact_utils.get_split_uri(input_dict["examples"], names.EVALUATION)
        with (
            local_copy(path_utils.serving_model_path(model.uri)) as model_folder,
            filled_folder(path_utils.stamped_model_path(blessing.uri)) as version_folder,
        ):
            report = getattr(importlib.import_module(module), function)(
                model=model_folder,
                example_files=matching_files(split, "*"),
                spec=exec_properties["spec"],
                version=version_folder,
            )
            # Written by ingestion where the spec says so, for clients to fill in requests from.
            of_examples = (
                f"{artifact_utils.get_single_uri(input_dict['examples'])}/{names.INGESTED_TABLES}"
            )
            for file in matching_files(of_examples, "*"):
                copy_file(file, f"{version_folder}/{names.EXPORTED_TABLES}/{Path(file).name}")
        write_bytes(f"{blessing.uri}/{REPORT_FILE}", report.to_json().encode())
        # TFX's Pusher reads these properties to push the model of an InfraBlessing.
        blessing.set_int_custom_property("blessed", int(not report.refusals))
        blessing.set_int_custom_property("has_model", 1)


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {
        "spec": component_spec.ExecutionParameter(type=str),
        "check": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {
        "infra_blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing)
    }


class PushCheck(base_component.BaseComponent):
    """Makes the version to push from a blessed model and checks it in service.

    Args:
        spec: the feature spec; a change of what the check does not read re-runs nothing.
        model: the Model channel of the trainer's export.
        model_blessing: the ModelBlessing channel of the Evaluator. A refused model is not checked.
        examples: an Examples channel, whose evaluation split is turned into requests.
        check: import path of a function with the signature of
            `serving.push_check.check.check_before_push`.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(
        self,
        *,
        spec: FeatureSpec,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        examples: types.BaseChannel,
        check: str = "serving.push_check.check.check_before_push",
    ) -> None:
        super().__init__(
            spec=_Spec(
                model=model,
                model_blessing=model_blessing,
                examples=examples,
                spec=serving_spec(spec),
                check=check,
                infra_blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
