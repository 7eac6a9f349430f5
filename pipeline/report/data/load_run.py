"""Reading of a run's data from the artifacts that its components wrote."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.util.tensor_util import make_ndarray

from feature_spec.artifacts.inspection import INSPECTION_FILE, ModelInsight
from feature_spec.artifacts.push_check_report import REPORT_FILE, PushCheckReport
from feature_spec.artifacts.training_ending import ENDING_FILE, TrainingEnding
from feature_spec.loading import parse_spec
from feature_spec.names import EXPORTED_SPEC
from feature_spec.spec import FeatureSpec
from feature_spec.spec_tables import sample_space_text
from pipeline.evaluate.evaluation_result import read_evaluation
from pipeline.evaluate.task_gains import read_gains
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.report.data.history_data import read_histories
from pipeline.report.data.run_data import Failure, RunData
from pipeline.report.data.titles import read_titles
from pipeline.validate.anomalies import read_anomalies
from pipeline.validate.distribution_shift import read_drift
from pipeline.workspace.artifact_files import is_file, matching_files, read_bytes

INSIGHT_FILE = "insight.json"
# The exported model in a Model artifact.
_EXPORT = "Format-Serving/"

# What is read, by component and output.
EXAMPLES = ("LogsExampleGen", "examples")
# Of a run by span.
WINDOW_EXAMPLES = ("WindowExampleGen", "examples")
STATISTICS = ("StatisticsGen", "statistics")
ANOMALIES = ("ExampleValidator", "anomalies")
MODEL = ("Trainer", "model")
MODEL_RUN = ("Trainer", "model_run")
INSIGHT = ("ModelInsight", "insight")
EVALUATION = ("Evaluator", "evaluation")
PUSH_CHECK = ("PushCheck", "infra_blessing")
GAIN = ("MtlGain", "gain")
DRIFT = ("DriftCheck", "drift")

Outputs = Mapping[tuple[str, str], str]


def load_run(
    outputs: Outputs,
    *,
    name: str,
    spec_name: str,
    began: str = "",
    version: int | None = None,
    failure: Failure | None = None,
) -> RunData:
    """Read the data of a run from its artifacts, as far as the run got.

    Args:
        outputs: folders or URIs of artifacts by component and output.
        name: see `RunData`.
        spec_name: see `RunData.spec`.
        began: see `RunData`.
        version: see `RunData`.
        failure: see `RunData`.
    """
    spec = _spec_of(outputs)
    evaluation, anomalies, curves = (
        outputs.get(EVALUATION),
        outputs.get(ANOMALIES),
        outputs.get(MODEL_RUN),
    )
    check = _content(outputs, PUSH_CHECK, REPORT_FILE)
    examples = EXAMPLES if EXAMPLES in outputs else WINDOW_EXAMPLES
    ingestion = _content(outputs, examples, SUMMARY_FILE)
    look = _content(outputs, INSIGHT, INSIGHT_FILE)
    insight = ModelInsight.model_validate_json(look) if look is not None else None
    # An older Fulcrum left TFMA's files only.
    evaluated = (
        read_evaluation(evaluation)
        if evaluation and is_file(f"{evaluation}/evaluation.json")
        else None
    )
    ending = _content(outputs, MODEL_RUN, ENDING_FILE)
    return RunData(
        name=name,
        spec=spec_name,
        fingerprint=spec.fingerprint if spec is not None else "",
        began=began,
        failure=failure,
        version=version,
        model=(_json(outputs, MODEL, _EXPORT + INSPECTION_FILE) or {}).get("model", ""),
        task_meanings=_task_meanings(spec) if spec is not None else {},
        formula=spec.ranking_formula if spec is not None else None,
        ingestion=IngestSummary.model_validate_json(ingestion) if ingestion is not None else None,
        histories=read_histories(spec, outputs[STATISTICS])
        if spec is not None and STATISTICS in outputs
        else None,
        anomalies=read_anomalies(anomalies) if anomalies is not None else None,
        drift=read_drift(outputs[DRIFT]) if DRIFT in outputs else None,
        curves=training_curves(curves) if curves is not None else None,
        ending=TrainingEnding.model_validate_json(ending) if ending is not None else None,
        evaluation=evaluated,
        gains=read_gains(outputs[GAIN]) if GAIN in outputs else None,
        push_check=PushCheckReport.from_json(check) if check is not None else None,
        insight=insight,
        titles=read_titles(outputs[examples], evaluated, insight) if examples in outputs else {},
    )


def _spec_of(outputs: Outputs) -> FeatureSpec | None:
    """Return the spec that the model carries."""
    text = _content(outputs, MODEL, _EXPORT + EXPORTED_SPEC)
    return parse_spec(text.decode()) if text is not None else None


def _task_meanings(spec: FeatureSpec) -> dict[str, str]:
    return {
        name: f"{task.kind}: {task.label.text}, of {sample_space_text(task)}"
        for name, task in spec.tasks.items()
    }


def _json(outputs: Outputs, key: tuple[str, str], file: str) -> Any:
    content = _content(outputs, key, file)
    return json.loads(content) if content is not None else None


def _content(outputs: Outputs, key: tuple[str, str], file: str) -> bytes | None:
    path = f"{outputs[key]}/{file}" if key in outputs else ""
    return read_bytes(path) if path and is_file(path) else None


_EPOCH = "epoch_"


def training_curves(folder: str) -> dict[str, list[tuple[int, float]]]:
    """Return the values of each quantity by epoch, counted from 1.

    Args:
        folder: the folder or URI of a ModelRun artifact. A training that went on after an
            interruption left several files; if an epoch is in more than one, the last one counts.

    Returns:
        Epochs and values by the trainer's names, such as `loss` or `validation_ctr`; no epochs of a
        metric that cannot be computed.
    """
    curves: dict[str, dict[int, float]] = {}
    for file in sorted(matching_files(folder, "**/events.out.tfevents.*"), key=os.path.basename):
        for event in _events(file):
            for value in event.summary.value:
                if value.tag.startswith(_EPOCH) and value.HasField("tensor"):
                    curve = curves.setdefault(value.tag.removeprefix(_EPOCH), {})
                    number = float(make_ndarray(value.tensor))
                    if math.isfinite(number):  # a metric that cannot be computed has no point
                        curve[event.step + 1] = number
    return {name: sorted(curve.items()) for name, curve in curves.items()}


def _events(file: str) -> Iterator[Event]:
    # TensorBoard's reader knows other file systems than Beam does.
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(read_bytes(file))
        copy.flush()
        reader = PyRecordReader_New(copy.name)
        while True:
            try:
                reader.GetNext()
            except (errors.OutOfRangeError, errors.DataLossError):
                # A killed training may have left half an event.
                return
            yield Event.FromString(reader.record())
