"""Gradient boosting: a model for each task, on the rows of the networks, without ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.papers.preprocessing import DESCRIPTION, ingested_examples
from benchmarks.papers.workload import Examples
from feature_spec import names
from feature_spec.fields.field import NumericField
from feature_spec.spec import FeatureSpec

# HistGradientBoosting takes no more categories than these.
_MOST_CATEGORIES = 254
_FILE, _COLUMNS, _CATEGORICAL = "boosting.npz", "columns", "categorical"


def prepare_boosting(spec: FeatureSpec, folder: Path, without: Collection[str]) -> None:
    """Write columns, labels and masks of all splits into the folder, unless they are up to date.

    Sums over events become smoothed rates; sequences of histories are left out. Numbers and
    categories whose values all are numbers stay numbers. Other categories become the rank of their
    frequency in the training rows; categories beyond the 254 most frequent count as missing. Of a
    list, the first value counts.

    Args:
        spec: gives the fields and the tasks.
        folder: the folder that `preprocess` has filled.
        without: names of the fields to leave out.
    """
    if (folder / _FILE).exists() and (folder / _FILE).stat().st_mtime >= (
        folder / DESCRIPTION
    ).stat().st_mtime:
        return
    fields = [
        name
        for name, field in spec.fields.items()
        if name not in without and (field.history is None or isinstance(field, NumericField))
    ]
    labels = [names.label_name(task) for task in spec.tasks]
    masks = [names.mask_name(task) for task in spec.tasks]
    values = {split: _read(folder, split, [*fields, *labels, *masks]) for split in names.SPLITS}
    _smooth(spec, values)
    arrays: dict[str, npt.NDArray[Any]] = {}
    encoders = {
        name: _encoder(values[names.TRAIN][name], isinstance(spec.fields[name], NumericField))
        for name in fields
    }
    for split, of_split in values.items():
        arrays[f"{split}_{_COLUMNS}"] = np.stack(
            [encoders[name][0](of_split[name]) for name in fields], axis=1
        )
        for kind, of_kind in ((names.LABELS, labels), (names.MASKS, masks)):
            arrays[f"{split}_{kind}"] = np.stack(
                [np.array(of_split[name], np.float32) for name in of_kind], axis=1
            )
    arrays[_CATEGORICAL] = np.array([encoders[name][1] for name in fields])
    np.savez(folder / _FILE, **arrays)


def _smooth(spec: FeatureSpec, values: dict[str, dict[str, list[Any]]]) -> None:
    """Put rates in the place of sums, as the transform graph does; p₀ is of the training rows."""

    def numbers(split: str, name: str) -> npt.NDArray[np.float64]:
        return np.array([value or 0.0 for value in values[split][name]])

    rates = {
        name: field
        for name, field in spec.fields.items()
        if isinstance(field, NumericField) and field.is_rate and name in values[names.TRAIN]
    }
    smoothed: dict[tuple[str, str], list[Any]] = {}
    for name, field in rates.items():
        sums, events = numbers(names.TRAIN, name), numbers(names.TRAIN, str(field.of))
        prior = (sums.sum() + 0.5) / (events.sum() + 1.0)
        for split in values:
            rate = (numbers(split, name) + field.smoothing * prior) / (
                numbers(split, str(field.of)) + field.smoothing
            )
            smoothed[split, name] = rate.tolist()
    for (split, name), rates_of_split in smoothed.items():
        values[split][name] = rates_of_split


def boosting_examples(folder: Path, split: str, tasks: Sequence[int]) -> Examples:
    """Return labels and masks (rows, K) of the tasks, in the row order of `boost`."""
    with np.load(folder / _FILE) as arrays:
        return {
            kind: arrays[f"{split}_{kind}"][:, list(tasks)] for kind in (names.LABELS, names.MASKS)
        }


def boost(
    folder: Path, column: int, kind: str, setting: Mapping[str, Any], seed: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Train the model of one task, which stops early on a tenth of its training rows.

    Args:
        folder: the folder that `prepare_boosting` has filled.
        column: the place of the task in the spec.
        kind: the kind of the task.
        setting: arguments of scikit-learn's estimator.
        seed: draws the tenth.

    Returns:
        Scores of the validation and evaluation rows, by split.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    with np.load(folder / _FILE) as arrays:
        columns = {split: arrays[f"{split}_{_COLUMNS}"] for split in names.SPLITS}
        labels, mask = (
            arrays[f"{names.TRAIN}_{names.LABELS}"][:, column],
            arrays[f"{names.TRAIN}_{names.MASKS}"][:, column] > 0,
        )
        categorical = arrays[_CATEGORICAL]
    model = (HistGradientBoostingClassifier if kind == "binary" else HistGradientBoostingRegressor)(
        categorical_features=categorical, early_stopping=True, random_state=seed, **setting
    )
    model.fit(columns[names.TRAIN][mask], labels[mask])
    predict = (lambda rows: model.predict_proba(rows)[:, 1]) if kind == "binary" else model.predict
    return {split: predict(columns[split]) for split in (names.VALIDATION, names.EVALUATION)}


def _read(folder: Path, split: str, features: Collection[str]) -> dict[str, list[Any]]:
    """Return the values of each feature by row: None if missing, a list if there are several."""
    import tensorflow as tf

    result: dict[str, list[Any]] = {name: [] for name in features}
    records = tf.data.TFRecordDataset(
        [str(file) for file in ingested_examples(folder, split)], compression_type="GZIP"
    )
    for record in records.as_numpy_iterator():
        example = tf.train.Example.FromString(record).features.feature
        for name, values in result.items():
            values.append(_value(example[name]) if name in example else None)
    return result


def _value(feature: Any) -> Any:
    kind = feature.WhichOneof("kind")
    if kind is None:
        return None
    values = list(getattr(feature, kind).value)
    return values[0] if len(values) == 1 else values or None


def _encoder(train: list[Any], is_number: bool) -> tuple[Any, bool]:
    """Return the function that makes a column's values numbers, and whether it makes categories."""

    def first(value: Any) -> Any:
        return value[0] if isinstance(value, list) else value

    def as_number(value: Any) -> float:
        try:
            return np.nan if value is None else float(first(value))
        except ValueError:
            return np.nan

    def numbers(values: list[Any]) -> npt.NDArray[np.float32]:
        return np.array([as_number(value) for value in values], np.float32)

    present = [first(value) for value in train if value is not None]
    if is_number or not np.isnan(numbers(present)).any():
        return numbers, False
    kinds, counts = np.unique(np.array(present), return_counts=True)
    ranks = {
        kind: rank
        for rank, kind in enumerate(kinds[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES])
    }

    def categories(values: list[Any]) -> npt.NDArray[np.float32]:
        return np.array([ranks.get(first(value), np.nan) for value in values], np.float32)

    return categories, True
