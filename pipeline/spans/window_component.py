"""`WindowExampleGen`: joins examples of single days to the examples of one run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec.artifacts.history_state import HISTORIES
from feature_spec.names import EVALUATION, SPLITS, TRAIN, VALIDATION
from pipeline.ingest.accounting.summary import SUMMARY_FILE
from pipeline.ingest.executor import read_summary, record_totals
from pipeline.spans.span_window import day_of_span
from pipeline.spans.window_summary import window_summary
from pipeline.workspace.artifact_files import (
    link_or_copy_file,
    make_folder,
    matching_files,
    write_bytes,
)


class _Executor(base_executor.BaseExecutor):
    @override
    def Do(
        self,
        input_dict: ArtifactMultiDict,
        output_dict: ArtifactMultiDict,
        exec_properties: dict[str, Any],
    ) -> None:
        training = sorted(input_dict["training_days"], key=lambda day: day.span)
        judging = artifact_utils.get_single_instance(input_dict["evaluation_day"])
        window = artifact_utils.get_single_instance(output_dict["examples"])
        window.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(window, examples_utils.get_payload_format(judging))
        examples_utils.set_file_format(window, examples_utils.get_file_format(judging))
        for split in (TRAIN, VALIDATION):
            _link_files(training, split, window, split)
            _link_files([judging], split, window, EVALUATION)
        summaries = [read_summary(day.uri) for day in training]
        summary = window_summary(summaries, read_summary(judging.uri), day_of_span(judging.span))
        summary.check_splits()
        # The last day's state goes on from those of the days before it.
        state = f"{judging.uri}/{HISTORIES}"
        for file in matching_files(state, "**/*"):
            link_or_copy_file(
                file, f"{window.uri}/{HISTORIES}/{file.removeprefix(state).lstrip('/')}"
            )
        content = summary.model_dump_json(indent=2).encode()
        write_bytes(f"{window.uri}/{SUMMARY_FILE}", content)
        record_totals(window, summary)


def _link_files(
    days: Iterable[types.Artifact], split: str, window: types.Artifact, into: str
) -> None:
    folder = artifact_utils.get_split_uri([window], into)
    make_folder(folder)
    for day in days:
        for file in matching_files(artifact_utils.get_split_uri([day], split), "*"):
            link_or_copy_file(file, f"{folder}/{day.span}-{split}-{PurePath(file).name}")


class _Spec(component_spec.ComponentSpec):
    PARAMETERS: dict[str, component_spec.ExecutionParameter] = {}
    INPUTS = {
        "training_days": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "evaluation_day": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class WindowExampleGen(base_component.BaseComponent):
    """Gives the examples of several days the splits of `feature_spec.names.SPLITS`.

    Files are linked instead of copied where possible. A day is ingested once, and judges one model
    before it trains others.

    Args:
        training_days: an Examples channel of the days to train on, each with the splits train and
            validation.
        evaluation_day: an Examples channel of the day of which both splits judge the model.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Executor)

    def __init__(
        self, *, training_days: types.BaseChannel, evaluation_day: types.BaseChannel
    ) -> None:
        super().__init__(
            spec=_Spec(
                training_days=training_days,
                evaluation_day=evaluation_day,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
