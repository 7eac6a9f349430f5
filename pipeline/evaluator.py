"""TFX's Evaluator, for a baseline that may be older than the spec: one that lacks a task, or cannot read today's examples."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils, path_utils, proto_utils
from tfx.utils.typing_utils import ArtifactMultiDict
from typing_extensions import override

from feature_spec import names
from pipeline.evaluation import CANDIDATE
from pipeline.failure import cause_of

# Where the evaluation says what of the comparison with the baseline was left out.
BASELINE_NOTE = "baseline_note"
_TRIED_EXAMPLES = 16


def tasks_that_score(model_folder: Path, examples: list[bytes]) -> set[str]:
    """The outputs that a SavedModel's `serving_default` gives for these examples.

    Raises:
        tf.errors.OpError, ValueError: the model cannot be loaded or cannot read the examples.
    """
    signature = tf.saved_model.load(str(model_folder)).signatures[names.SERVING_DEFAULT]
    return set(signature(examples=tf.constant(examples)))


def without_comparison(config: config_pb2.EvalConfig, tasks: set[str]) -> config_pb2.EvalConfig:
    """The config with `tasks` judged by their absolute thresholds only, because the baseline does not score them."""
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(config)
    for spec in changed.metrics_specs:
        if set(spec.output_names) <= tasks:
            spec.model_names[:] = [CANDIDATE]
            for metric in spec.metrics:
                metric.threshold.ClearField("change_threshold")
    for model in changed.model_specs:
        if model.is_baseline:
            for task in tasks:
                for keys in (model.label_keys, model.prediction_keys, model.example_weight_keys):
                    keys.pop(task, None)
    return changed


class _Executor(executor.Executor):
    @override
    def Do(self, input_dict: ArtifactMultiDict, output_dict: ArtifactMultiDict, exec_properties: dict[str, Any]) -> None:
        note = ""
        if input_dict.get(standard_component_specs.BASELINE_MODEL_KEY):
            input_dict, exec_properties, note = _comparable(input_dict, exec_properties)
        super().Do(input_dict, output_dict, exec_properties)
        if note:
            evaluation = artifact_utils.get_single_instance(output_dict[standard_component_specs.EVALUATION_KEY])
            evaluation.set_string_custom_property(BASELINE_NOTE, note)


def _comparable(
    input_dict: ArtifactMultiDict, exec_properties: dict[str, Any]
) -> tuple[ArtifactMultiDict, dict[str, Any], str]:
    """Inputs and settings that the Evaluator can work with, and what was left out, or ""."""
    baseline = artifact_utils.get_single_instance(input_dict[standard_component_specs.BASELINE_MODEL_KEY])
    config = config_pb2.EvalConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
    tasks = {name for spec in config.metrics_specs for name in spec.output_names}
    examples = _first_examples(input_dict, exec_properties)
    try:
        scored = tasks_that_score(Path(path_utils.serving_model_path(baseline.uri)), examples)
    except (tf.errors.OpError, ValueError, KeyError, OSError) as error:
        reason = cause_of(error)
        without = {key: value for key, value in input_dict.items() if key != standard_component_specs.BASELINE_MODEL_KEY}
        return without, exec_properties, f"not compared: the blessed model cannot score these examples ({reason})"
    missing = tasks - scored
    if not missing:
        return input_dict, exec_properties, ""
    changed = proto_utils.proto_to_json(without_comparison(config, missing))
    note = f"not compared: the blessed model does not have {', '.join(sorted(missing))}"
    return input_dict, {**exec_properties, standard_component_specs.EVAL_CONFIG_KEY: changed}, note


def _first_examples(input_dict: ArtifactMultiDict, exec_properties: dict[str, Any]) -> list[bytes]:
    examples = input_dict[standard_component_specs.EXAMPLES_KEY]
    splits = json_utils.loads(exec_properties[standard_component_specs.EXAMPLE_SPLITS_KEY])
    folders = [Path(uri) for split in splits for uri in artifact_utils.get_split_uris(examples, split)]
    files = [str(file) for folder in folders for file in sorted(folder.glob("*"))]
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    return list(itertools.islice(records.as_numpy_iterator(), _TRIED_EXAMPLES))


class Evaluator(component.Evaluator):
    """Evaluates the candidate beside the baseline and blesses or refuses it."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(_Executor)
