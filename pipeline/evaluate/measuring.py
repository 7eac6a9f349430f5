"""From scored examples in columns to sums, and from sums to metrics with their values by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from feature_spec import names
from feature_spec.sections import sides_of_lists
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.metrics.eval_config import (
    BASELINE,
    CANDIDATE,
    EXAMPLE_COUNT,
    PART,
    QUERY_KEYS,
    gauc_key,
)
from pipeline.evaluate.metrics.jackknife import parts_of
from pipeline.evaluate.metrics.list_metrics import (
    ListRows,
    auc_totals,
    list_average,
    ndcg_totals,
    totals_by_part,
)
from pipeline.evaluate.metrics.metric_accumulators import (
    TaskSums,
    calibration_curve,
    metrics_of,
    sums_by_group,
)
from pipeline.evaluate.metrics.metric_registry import METRICS, label_moment, moments_of
from pipeline.evaluate.tfma_files import EXAMPLES_BY_PART, Measured

_GAUC, _NDCG = "gauc", "ndcg"
# The order in which a report shows them; "" is the calibration curve.
_METRIC_ORDER = [
    EXAMPLE_COUNT, EXAMPLES_BY_PART, "",
    *(name for name in METRICS if name not in (_GAUC, _NDCG)), _GAUC, _NDCG,
]  # fmt: skip
# The sides whose slices keep the examples of a list together.
_SIDES_OF_LISTS = {
    names.USER_KEY: sides_of_lists("user"),
    names.REQUEST_KEY: sides_of_lists("request"),
}


class Place(NamedTuple):
    """An output of a model on a slice of the evaluation split.

    Attributes:
        field: the field that makes the slice; "" for the whole split.
        slice_value: the field's value on the slice; b"" for the whole split.
        output: the name of the output.
        model: `CANDIDATE` or `BASELINE`.
    """

    field: str
    slice_value: bytes
    output: str
    model: str


def task_sums(spec: FeatureSpec, features: Mapping[str, Any]) -> Iterator[tuple[Place, TaskSums]]:
    """Yield the sums of each task, model and slice over N examples.

    Args:
        spec: the feature spec.
        features: the result of `joined_scores`.
    """
    whole = [b""], np.zeros(len(features[PART]), np.int64)
    fields = [part.field for part in spec.evaluation.slices]
    slices = {"": whole} | {field: _coded(features[field]) for field in fields}
    for field, (values, codes) in slices.items():
        for task, settings in spec.judged_tasks.items():
            judged = features[task]
            inside = judged[:, 1] > 0.0
            part, groups = features[PART][inside], codes[inside]
            for model, column in _models(judged):
                rows = np.stack([part, *judged[inside][:, [0, column, 1]].T], axis=1)
                sums = sums_by_group(settings.kind, rows, groups, len(values))
                for value, of_slice in zip(values, sums, strict=True):
                    yield Place(field, value, task, model), of_slice


def task_metrics(spec: FeatureSpec, place: Place, sums: TaskSums) -> Iterator[Measured]:
    """Yield a task's example count, its metrics and, of a binary task, its calibration curve."""
    kind = spec.judged_tasks[place.output].kind
    count = np.array([float(sums.moments[:, 0].sum())])
    yield Measured(**place._asdict(), metric=EXAMPLE_COUNT, values=count)
    labels = 1 + moments_of(kind).index(label_moment)
    by_part = sums.moments[:, [0, labels]].T
    yield Measured(**place._asdict(), metric=EXAMPLES_BY_PART, values=by_part)
    for name, values in metrics_of(kind, sums).items():
        yield Measured(**place._asdict(), metric=name, values=values)
    if kind == "binary":
        yield Measured(**place._asdict(), metric="", values=calibration_curve(sums))


def list_tables(
    spec: FeatureSpec, features: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, int], pa.Table]]:
    """Yield what the metrics of lists read of N examples, so that a list is in one table.

    Args:
        spec: the feature spec.
        features: the result of `joined_scores`.

    Yields:
        The feature by which examples are lists and a number, and a table.
    """
    for key, metrics in _list_metrics(spec).items():
        columns: dict[str, Any] = {key: features[key], PART: features[PART]}
        for field in _list_slices(spec, key):
            columns[field] = features[field]
        for output in metrics:
            for column, values in enumerate(features[output].T):
                columns[f"{output}/{column}"] = values
        table = pa.table(columns)
        homes = parts_of(features[key])
        for home in np.unique(homes).tolist():
            yield (key, home), table.filter(pa.array(homes == home))


def list_sums(
    spec: FeatureSpec, key: str, tables: Iterable[pa.Table]
) -> Iterator[tuple[tuple[Place, str], np.ndarray]]:
    """Yield the totals of lists by part, (PARTS, 2), for each metric of lists, model and slice.

    Args:
        spec: the feature spec.
        key: the feature by which examples are lists.
        tables: tables of `list_tables` that hold all examples of their lists.
    """
    table = pa.concat_tables(tables).combine_chunks()
    coded = table.column(key).combine_chunks().dictionary_encode()
    lists, count = coded.indices.to_numpy(), len(coded.dictionary)
    parts = np.zeros(count, np.int64)
    parts[lists[::-1]] = table.column(PART).to_numpy()[::-1]
    # All examples of a list count in each slice that holds one of them.
    slices = [("", [b""], np.arange(count), np.zeros(count, np.int64))]
    for field in _list_slices(spec, key):
        values, codes = _coded(table.column(field).combine_chunks())
        held = np.unique(lists.astype(np.int64) * len(values) + codes)
        slices.append((field, values, held // len(values), held % len(values)))
    ndcg = spec.evaluation.ndcg
    for output, metric in _list_metrics(spec)[key].items():
        width = sum(name.startswith(f"{output}/") for name in table.column_names)
        judged = np.stack([table.column(f"{output}/{i}").to_numpy() for i in range(width)], axis=1)
        inside = judged[:, 1] > 0.0
        for model, column in _models(judged):
            rows = ListRows(lists[inside], *judged[inside][:, [0, 1, column]].T)
            totals = (
                ndcg_totals(rows, count, ndcg.k)
                if ndcg is not None and metric == _NDCG
                else auc_totals(rows, count)
            )
            for field, values, of_lists, groups in slices:
                by_part = totals_by_part(totals, parts, of_lists, groups, len(values))
                for value, of_slice in zip(values, by_part, strict=True):
                    yield (Place(field, value, output, model), metric), of_slice


def list_metric(place: Place, metric: str, by_part: np.ndarray) -> Measured:
    """Return the average of a metric over lists from totals by part; (PARTS, 2)."""
    return Measured(**place._asdict(), metric=metric, values=list_average(by_part))


def in_order(spec: FeatureSpec, measured: Iterable[Measured]) -> list[Measured]:
    """Return measurements by slice and output, each output's metrics as a report shows them."""
    outputs = [*spec.judged_tasks, names.RANKING_SCORE]
    return sorted(
        measured,
        key=lambda one: (
            one.field, one.slice_value, outputs.index(one.output), one.model != CANDIDATE,
            _METRIC_ORDER.index(one.metric),
        ),
    )  # fmt: skip


def _models(judged: np.ndarray) -> list[tuple[str, int]]:
    """Return the models whose scores stand beside label and weight, with their columns."""
    return list(zip((CANDIDATE, BASELINE), range(2, judged.shape[1]), strict=False))


def _list_metrics(spec: FeatureSpec) -> dict[str, dict[str, str]]:
    """Return the metrics of lists by the feature that makes the lists, and by output."""
    metrics: dict[str, dict[str, str]] = {}
    if (key_of_gauc := gauc_key(spec)) is not None:
        binary = [name for name, task in spec.judged_tasks.items() if task.kind == "binary"]
        metrics[key_of_gauc] = dict.fromkeys(binary, _GAUC)
    if spec.evaluation.ndcg is not None:
        key = QUERY_KEYS[spec.evaluation.ndcg.by]
        metrics[key] = metrics.get(key, {}) | {names.RANKING_SCORE: _NDCG}
    return {key: of_key for key, of_key in metrics.items() if of_key}


def _list_slices(spec: FeatureSpec, key: str) -> list[str]:
    fields = [part.field for part in spec.evaluation.slices]
    return [field for field in fields if spec.fields[field].side in _SIDES_OF_LISTS[key]]


def _coded(texts: pa.Array) -> tuple[list[bytes], np.ndarray]:
    """Return the different values, and the place of each row's value among them; (N,)."""
    coded = texts.dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
