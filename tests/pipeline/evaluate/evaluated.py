"""Runs the Evaluator's executor on SavedModels and examples made by hand. Imports TFX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from feature_spec.spec import FeatureSpec
from pipeline.commands.run_options import beam_arguments
from pipeline.evaluate.evaluation_result import Measurement, TaskVerdict, read_evaluation
from pipeline.evaluate.evaluator import Evaluator
from pipeline.step_specs import evaluation_spec


class Scorer(tf.Module):
    """Each task's score is the sigmoid of `scale` · x. The ranking score is e^(x - 1000), which float32 takes for 0."""

    def __init__(self, tasks: Sequence[str], scale: float, kind: tf.DType) -> None:
        super().__init__()
        self.tasks, self.scale, self.kind = tasks, scale, kind

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], self.kind)})["x"]
        scores = tf.sigmoid(self.scale * tf.cast(x, tf.float32))
        log_score = tf.cast(x, tf.float64) - 1000.0
        ranking = {"ranking_score": tf.exp(tf.cast(log_score, tf.float32))}
        return {**dict.fromkeys(self.tasks, scores), **ranking, "log_ranking_score": log_score}


class LinearScorer(tf.Module):
    """Each task's score is the sigmoid of its own weights · x, x being a vector; the ranking score is the first task's."""

    def __init__(self, weights: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.weights = {task: tf.constant(of_task, tf.float32) for task, of_task in weights.items()}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        [width] = next(iter(self.weights.values())).shape
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([width], tf.float32)})["x"]
        scores = {
            task: tf.sigmoid(tf.linalg.matvec(x, of_task)) for task, of_task in self.weights.items()
        }
        return {**scores, "ranking_score": next(iter(scores.values()))}


def write_linear_model(folder: Path, weights: Mapping[str, Sequence[float]]) -> Path:
    """A Model artifact's folder."""
    scorer = LinearScorer(weights)
    tf.saved_model.save(
        scorer, str(folder / "Format-Serving"), signatures={"serving_default": scorer.serve}
    )
    return folder


def write_model(
    folder: Path, tasks: Sequence[str], scale: float = 1.0, kind: tf.DType = tf.float32
) -> Path:
    """A Model artifact's folder."""
    scorer = Scorer(tasks, scale, kind)
    tf.saved_model.save(
        scorer, str(folder / "Format-Serving"), signatures={"serving_default": scorer.serve}
    )
    return folder


def write_examples(
    folder: Path, rows: Sequence[Mapping[str, float | str | Sequence[float]]]
) -> Path:
    """An Examples artifact's folder with an evaluation split."""
    split = folder / "Split-evaluation"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data.gz"), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                if isinstance(value, str):
                    example.features.feature[name].bytes_list.value.append(value.encode())
                else:
                    example.features.feature[name].float_list.value.extend(
                        [value] if isinstance(value, float) else value
                    )
            writer.write(example.SerializeToString())
    return folder


@dataclass(frozen=True)
class Evaluated:
    """What the Evaluator came to."""

    is_blessed: bool
    verdicts: dict[str, TaskVerdict]
    ranking: list[Measurement]
    baseline_note: str


def evaluate(
    spec: FeatureSpec, examples: Path, model: Path, out: Path, baseline: Path | None = None
) -> Evaluated:
    """Runs the component's executor as the pipeline does."""
    stored = standard_artifacts.Examples()
    stored.uri, stored.split_names = str(examples), '["evaluation"]'
    inputs = {"examples": [stored], "model": [_model(model)]}
    if baseline is not None:
        inputs["baseline_model"] = [_model(baseline)]
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(out / "evaluation"), str(out / "blessing")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=beam_arguments([]), tmp_dir=str(out / "tmp"), unique_id="1"
    )
    Evaluator.EXECUTOR_SPEC.executor_class(context).Do(
        inputs,
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"spec": evaluation_spec(spec)},
    )
    found = read_evaluation(evaluation.uri)
    return Evaluated(
        is_blessed=blessing.get_int_custom_property("blessed") == 1,
        verdicts={verdict.task: verdict for verdict in found.tasks},
        ranking=found.ranking,
        baseline_note=found.baseline_note,
    )


def _model(folder: Path) -> standard_artifacts.Model:
    model = standard_artifacts.Model()
    model.uri, model.id = str(folder), 1
    return model
