"""Scores of examples as rows of a Parquet file, in batches of thousands.

A row has, of one example: the split; `request_key`, `user_key` and `item_key`; `event_time_us`;
`weight_of_example`; `label_of_TASK`, `mask_of_TASK` and `score_of_TASK` of each task;
`score_of_joint_of_TASK`, the joint probability, of each task that is given another;
`ranking_score` and `log_ranking_score`; and the fields that were asked for. Keys, times and weights
that the spec does not name are null. A label is null outside the sample space of its task, where
the mask is false.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_spec import names
from feature_spec.fields.field import (
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from pipeline.evaluate.example_columns import first_values
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.predict.model_lookup import NothingToPredictError, split_of
from pipeline.workspace.example_files import example_batches

SPLIT = "split"
_SCORE = "score_of_"


@dataclass(frozen=True, kw_only=True)
class PredictedTask:
    """What a task's column of scores holds.

    Attributes:
        examples: the examples of the task's sample space.
        positives: the labels above 0 among them.
        label_mean, score_mean: means over the sample space; None where it is empty.
    """

    examples: int
    positives: int
    label_mean: float | None
    score_mean: float | None


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The rows of a file of predictions.

    Attributes:
        model: the folder of the SavedModel that made the scores.
        rows: the number of rows, one for each example.
        splits: the rows of each split; the empty text stands for none.
        tasks: what is said of each task.
        ingested: what became of every line of the logs; None for examples.
    """

    model: Path
    rows: int
    splits: dict[str, int]
    tasks: dict[str, PredictedTask]
    ingested: IngestSummary | None = None


def score_name(task: str) -> str:
    """Return the column with a task's scores: a probability, or a number of a regression task."""
    return _SCORE + task


def check_fields(spec: FeatureSpec, fields: Sequence[str]) -> None:
    """Check that the fields to be written are fields of the spec.

    Raises:
        NothingToPredictError: one is not; the message names the closest ones.
    """
    for name in fields:
        if name not in spec.fields:
            raise NothingToPredictError(
                f"field {name}: no such field: {closest_names(name, spec.fields)}"
            )


def write_predictions(
    spec: FeatureSpec,
    model: Path,
    files: Sequence[str],
    out: Path,
    *,
    fields: Sequence[str] = (),
    ingested: IngestSummary | None = None,
) -> Predictions:
    """Score the examples of files into a Parquet file, which appears when it is complete.

    Args:
        spec: the spec of the model.
        model: the folder of the SavedModel.
        files: TFRecord files of ingested examples.
        out: the Parquet file.
        fields: fields to write beside keys, labels and scores.
        ingested: the summary of the logs that the examples come from.

    Raises:
        NothingToPredictError: the model cannot be loaded, lacks an output or cannot read the
            examples, or there is no example.
        OSError: the file cannot be written.
    """
    import tensorflow as tf

    from pipeline.evaluate.scoring import Scorer

    check_fields(spec, fields)
    try:
        scorer = Scorer(str(model))
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise NothingToPredictError(f"{model} cannot be loaded: {error}") from error
    if missing := [
        name
        for name in (*spec.tasks, *spec.joints, names.RANKING_SCORE)
        if name not in scorer.outputs
    ]:
        raise NothingToPredictError(
            f"{model} has no output {', '.join(missing)}; its outputs are "
            f"{', '.join(sorted(scorer.outputs))}"
        )
    sums = _Sums(spec)
    part = out.with_name(f"{out.name}.part")
    with contextlib.ExitStack() as stack:
        stack.callback(part.unlink, missing_ok=True)
        stack.callback(scorer.close)
        writer: pq.ParquetWriter | None = None
        for file in files:
            for table in _tables(spec, scorer, file, fields):
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(part, table.schema))
                writer.write_table(table)
                sums.add(table)
        if writer is None:
            raise NothingToPredictError(f"no example in {', '.join(files)}")
        writer.close()
        part.replace(out)
    return sums.predictions(model, ingested)


def _tables(spec: FeatureSpec, scorer: Any, file: str, fields: Sequence[str]) -> Iterator[pa.Table]:
    import tensorflow as tf
    import tfx  # noqa: F401  (before tfx_bsl, which on Python 3.11 needs TFX's stand-in)
    from tfx_bsl.coders import example_coder

    from pipeline.evaluate.scoring import BATCH_ROWS

    decoder = example_coder.ExamplesToRecordBatchDecoder()
    try:
        for examples in example_batches([file], BATCH_ROWS):
            batch = decoder.DecodeBatch(examples.tolist())
            scores = scorer.scores(examples)
            yield predicted_rows(spec, batch, scores, split_of(file), fields)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = getattr(error, "message", str(error))
        raise NothingToPredictError(
            f"{file}: the model cannot score its records, which should be examples that "
            f"`fulcrum run` ingested: {reason}"
        ) from error


def predicted_rows(
    spec: FeatureSpec,
    batch: pa.RecordBatch,
    scores: dict[str, np.ndarray],
    split: str | None,
    fields: Sequence[str] = (),
) -> pa.Table:
    """Return B examples with their scores as B rows.

    Args:
        spec: the feature spec.
        batch: a column of lists for each feature, as tfx_bsl decodes examples.
        scores: each output of the model, (B,).
        split: the split of the examples.
        fields: fields to keep.
    """
    columns: dict[str, pa.Array] = {
        SPLIT: pa.array([split], pa.string()).take(pa.array(np.zeros(batch.num_rows, np.int32)))
    }
    # The spec that comes with a model does not tell which keys there are.
    for name in (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY):
        columns[name] = _text(first_values(batch, name))
    columns[names.EVENT_TIME] = first_values(batch, names.EVENT_TIME).cast(pa.int64())
    columns[names.EXAMPLE_WEIGHT] = _number(first_values(batch, names.EXAMPLE_WEIGHT))
    for task in spec.tasks:
        mask = pc.equal(_number(first_values(batch, names.mask_name(task))), 1.0).fill_null(False)
        label = _number(first_values(batch, names.label_name(task)))
        columns[names.label_name(task)] = pc.if_else(mask, label, pa.scalar(None, pa.float32()))
        columns[names.mask_name(task)] = mask
        columns[score_name(task)] = pa.array(scores[task], pa.float32())
    for joint in spec.joints:
        columns[score_name(joint)] = pa.array(scores[joint], pa.float32())
    columns[names.RANKING_SCORE] = pa.array(scores[names.RANKING_SCORE], pa.float32())
    if names.LOG_RANKING_SCORE in scores:
        columns[names.LOG_RANKING_SCORE] = pa.array(scores[names.LOG_RANKING_SCORE], pa.float64())
    for name in fields:
        columns[f"field_{name}"] = _field(spec, batch, name)
    return pa.table(columns)


def _field(spec: FeatureSpec, batch: pa.RecordBatch, name: str) -> pa.Array:
    field = spec.fields[name]
    if isinstance(field, VectorField):
        if name not in batch.schema.names or pa.types.is_null(batch.column(name).type):
            return pa.nulls(batch.num_rows, pa.large_list(pa.float32()))
        return batch.column(name).cast(pa.large_list(pa.float32()))
    if isinstance(field, NumericField):
        return _number(first_values(batch, name))
    if isinstance(field, MultiCategoricalField | SequenceField):
        if name not in batch.schema.names or pa.types.is_null(batch.column(name).type):
            return pa.nulls(batch.num_rows, pa.large_list(pa.large_string()))
        return batch.column(name).cast(pa.large_list(pa.large_string()))
    return _text(first_values(batch, name))


def _text(values: pa.Array) -> pa.Array:
    """Return texts; null where a value is missing or empty."""
    texts = values.cast(pa.large_string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.large_string()), texts)


def _number(values: pa.Array) -> pa.Array:
    return values.cast(pa.float32())


class _Sums:
    """Adds up what is said of the rows."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._splits: dict[str, int] = {}
        self._tasks = {task: np.zeros(4) for task in spec.tasks}

    def add(self, table: pa.Table) -> None:
        split = table[SPLIT][0].as_py() or ""
        self._splits[split] = self._splits.get(split, 0) + table.num_rows
        for task, sums in self._tasks.items():
            mask = table[names.mask_name(task)].to_numpy()
            labels = table[names.label_name(task)].to_numpy()[mask].astype(np.float64)
            scores = table[score_name(task)].to_numpy()[mask].astype(np.float64)
            sums += [len(labels), (labels > 0).sum(), labels.sum(), scores.sum()]

    def predictions(self, model: Path, ingested: IngestSummary | None) -> Predictions:
        return Predictions(
            model=model,
            ingested=ingested,
            rows=sum(self._splits.values()),
            splits=self._splits,
            tasks={
                task: PredictedTask(
                    examples=int(examples),
                    positives=int(positives),
                    label_mean=labels / examples if examples else None,
                    score_mean=scores / examples if examples else None,
                )
                for task, (examples, positives, labels, scores) in (
                    (task, sums.tolist()) for task, sums in self._tasks.items()
                )
            },
        )
