"""The Beam pipeline that scores the evaluation split with one or two models and measures them.

A file is scored by one worker, in batches of thousands, and leaves sums by task and slice, and the
rows of its lists. Workers meet where sums are added and where the rows of a list come together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.utils import shared
from tfx import types
from tfx.types import artifact_utils
from tfx_bsl.coders import example_coder
from typing_extensions import override

from feature_spec import names
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.example_columns import RAW_RECORD, derived_features, joined_scores
from pipeline.evaluate.measuring import (
    Place,
    in_order,
    list_metric,
    list_sums,
    list_tables,
    task_metrics,
    task_sums,
)
from pipeline.evaluate.metrics.eval_config import eval_config
from pipeline.evaluate.metrics.metric_accumulators import TaskSums, merged
from pipeline.evaluate.scoring import BATCH_ROWS, Scorer
from pipeline.evaluate.tfma_files import Measured, write_eval_config, write_results
from pipeline.evaluate.values_by_part import values_by_part, write_values_by_part
from pipeline.workspace.artifact_files import matching_files
from pipeline.workspace.example_files import example_batches

# Examples are summed so many at a time, in columns of about 100 bytes a row.
_ROWS = 1 << 16
_LISTS = "lists"


def evaluation_files(examples: types.Artifact) -> list[str]:
    """Return the files of the evaluation split of an Examples artifact."""
    return matching_files(artifact_utils.get_split_uri([examples], names.EVALUATION), "*")


def evaluate(
    pipeline: beam.Pipeline,
    *,
    spec: FeatureSpec,
    examples: types.Artifact,
    folders: Mapping[str, str],
    compared: Collection[str] | None,
    out: str,
) -> None:
    """Add the evaluation of one or two models on the evaluation split to a Beam pipeline.

    Args:
        pipeline: the Beam pipeline.
        spec: the feature spec.
        examples: an Examples artifact.
        folders: folders of the SavedModels by name, `CANDIDATE` and perhaps `BASELINE`.
        compared: the outputs that the baseline has, too; None where there is no baseline.
        out: the folder for TFMA's files.
    """
    write_eval_config(out, eval_config(spec, compared), folders)
    scored = (
        pipeline
        | "Files" >> beam.Create(evaluation_files(examples), reshuffle=True)
        | "Score" >> beam.ParDo(_Score(spec, folders)).with_outputs(_LISTS, main="tasks")
    )
    of_tasks = (
        scored["tasks"]
        | "AddSums" >> beam.CombinePerKey(_AddSums())
        | "TaskMetrics" >> beam.FlatMap(_task_metrics, spec=spec)
    )
    of_lists = (
        scored[_LISTS]
        | "CollectLists" >> beam.GroupByKey()
        | "ListSums" >> beam.FlatMap(_list_sums, spec=spec)
        | "AddListSums" >> beam.CombinePerKey(_added)
        | "ListMetrics" >> beam.Map(_list_metric)
    )
    measured = (of_tasks, of_lists) | "Measured" >> beam.Flatten()
    _ = (
        pipeline
        | "Folder" >> beam.Create([out], reshuffle=False)
        | "Write"
        >> beam.Map(_write, measured=beam.pvalue.AsList(measured), spec=spec, models=list(folders))
    )


class _Score(beam.DoFn):
    """Scores a file; yields sums by place, and tables of lists by their key."""

    def __init__(self, spec: FeatureSpec, folders: Mapping[str, str]) -> None:
        super().__init__()
        self._spec, self._folders = spec, dict(folders)
        self._shared = shared.Shared()
        self._scorers: dict[str, Scorer] = {}

    @override
    def setup(self) -> None:
        # The threads of a worker share the models.
        self._scorers = self._shared.acquire(
            lambda: _Scorers((name, Scorer(folder)) for name, folder in self._folders.items())
        )
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    @override
    def process(self, element: str) -> Iterator[Any]:
        held: list[dict[str, Any]] = []
        rows = 0
        for batch in example_batches([element], BATCH_ROWS):
            held.append(self._features(batch))
            rows += len(batch)
            if rows >= _ROWS:
                yield from self._sums(held)
                held, rows = [], 0
        if held:
            yield from self._sums(held)

    def _features(self, examples: np.ndarray) -> dict[str, Any]:
        records = examples.tolist()
        batch = self._decoder.DecodeBatch(records)
        if self._spec.keys.user is None and self._spec.keys.request is None:
            # Only where no key makes the parts of the jackknife are the examples themselves read.
            raw = pa.array([[record] for record in records], pa.large_list(pa.large_binary()))
            batch = batch.append_column(RAW_RECORD, raw)
        features = derived_features(batch, self._spec)
        outputs = [
            name for name in (*self._spec.judged_tasks, names.RANKING_SCORE) if name in features
        ]
        predictions = {name: scorer.scores(examples) for name, scorer in self._scorers.items()}
        return joined_scores(features, predictions, outputs)

    def _sums(self, held: list[dict[str, Any]]) -> Iterator[Any]:
        features = {
            name: (np.concatenate if isinstance(first, np.ndarray) else pa.concat_arrays)(
                [one[name] for one in held]
            )
            for name, first in held[0].items()
        }
        yield from task_sums(self._spec, features)
        for keyed in list_tables(self._spec, features):
            yield beam.pvalue.TaggedOutput(_LISTS, keyed)


class _Scorers(dict[str, Scorer]):
    """Models by name. Unlike a plain dict, Beam's `Shared` can hold it by a weak reference."""


class _AddSums(beam.CombineFn):
    """Adds the sums of one task, model and slice, which are one at least."""

    @override
    def create_accumulator(self) -> list[TaskSums]:
        return []

    @override
    def add_input(self, mutable_accumulator: list[TaskSums], element: TaskSums) -> list[TaskSums]:
        return [merged([*mutable_accumulator, element])]

    @override
    def merge_accumulators(self, accumulators: Iterable[list[TaskSums]]) -> list[TaskSums]:
        sums = [one for accumulator in accumulators for one in accumulator]
        return [merged(sums)] if sums else []

    @override
    def extract_output(self, accumulator: list[TaskSums]) -> TaskSums:
        return accumulator[0]


def _task_metrics(keyed: tuple[Place, TaskSums], spec: FeatureSpec) -> Iterator[Measured]:
    place, sums = keyed
    return task_metrics(spec, Place(*place), sums)


def _list_sums(
    keyed: tuple[tuple[str, int], Iterable[pa.Table]], spec: FeatureSpec
) -> Iterator[tuple[tuple[Place, str], np.ndarray]]:
    (key, _), tables = keyed
    return list_sums(spec, key, tables)


def _added(by_part: Iterable[np.ndarray]) -> Any:
    return sum(by_part)


def _list_metric(keyed: tuple[tuple[Place, str], np.ndarray]) -> Measured:
    (place, metric), by_part = keyed
    return list_metric(Place(*place), metric, by_part)


def _write(folder: str, measured: list[Measured], spec: FeatureSpec, models: list[str]) -> None:
    ordered = in_order(spec, measured)
    write_results(folder, ordered, models)
    write_values_by_part(values_by_part(ordered), folder)
