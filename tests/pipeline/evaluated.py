"""Runs the Evaluator's executor on SavedModels and examples made by hand. Imports TFX."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow_model_analysis.api import model_eval_lib
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from feature_spec.spec import FeatureSpec
from pipeline.beam_options import beam_arguments
from pipeline.evaluation import evaluation_config
from pipeline.evaluator import BASELINE_NOTE, Evaluator
from pipeline.verdict import TaskVerdict, task_verdicts


class Scorer(tf.Module):
    """Each task's score is the sigmoid of `scale` · x; and there is a ranking score, as in every exported model."""

    def __init__(self, tasks: Sequence[str], scale: float, kind: tf.DType) -> None:
        super().__init__()
        self.tasks, self.scale, self.kind = tasks, scale, kind

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], self.kind)})["x"]
        scores = tf.sigmoid(self.scale * tf.cast(x, tf.float32))
        return {**dict.fromkeys(self.tasks, scores), "ranking_score": tf.cast(x, tf.float32)}


def write_model(folder: Path, tasks: Sequence[str], scale: float = 1.0, kind: tf.DType = tf.float32) -> Path:
    """A Model artifact's folder."""
    scorer = Scorer(tasks, scale, kind)
    tf.saved_model.save(scorer, str(folder / "Format-Serving"), signatures={"serving_default": scorer.serve})
    return folder


def write_examples(folder: Path, rows: Sequence[Mapping[str, float]]) -> Path:
    """An Examples artifact's folder with an evaluation split."""
    split = folder / "Split-evaluation"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data.gz"), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                example.features.feature[name].float_list.value.append(value)
            writer.write(example.SerializeToString())
    return folder


@dataclass(frozen=True)
class Evaluated:
    """What the Evaluator came to."""

    is_blessed: bool
    verdicts: dict[str, TaskVerdict]
    baseline_note: str


def evaluate(spec: FeatureSpec, examples: Path, model: Path, out: Path, baseline: Path | None = None) -> Evaluated:
    """Runs the component's executor as the pipeline does."""
    stored = standard_artifacts.Examples()
    stored.uri, stored.split_names = str(examples), '["evaluation"]'
    inputs = {"examples": [stored], "model": [_model(model)]}
    if baseline is not None:
        inputs["baseline_model"] = [_model(baseline)]
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(out / "evaluation"), str(out / "blessing")
    context = BaseBeamExecutor.Context(beam_pipeline_args=beam_arguments([]), tmp_dir=str(out / "tmp"), unique_id="1")
    Evaluator.EXECUTOR_SPEC.executor_class(context).Do(
        inputs,
        {"evaluation": [evaluation], "blessing": [blessing]},
        {
            "eval_config": json.dumps(evaluation_config(spec)),
            "example_splits": '["evaluation"]',
            "fairness_indicator_thresholds": "null",
        },
    )
    found = task_verdicts(
        spec, model_eval_lib.load_metrics(evaluation.uri), model_eval_lib.load_validation_result(evaluation.uri)
    )
    return Evaluated(
        is_blessed=blessing.get_int_custom_property("blessed") == 1,
        verdicts={verdict.task: verdict for verdict in found},
        baseline_note=evaluation.get_string_custom_property(BASELINE_NOTE),
    )


def _model(folder: Path) -> standard_artifacts.Model:
    model = standard_artifacts.Model()
    model.uri, model.id = str(folder), 1
    return model
