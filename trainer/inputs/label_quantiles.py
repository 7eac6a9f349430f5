"""Labels as quantiles within groups of the training examples, and back (D2Q).

A regression of watch time learns mostly how long a video is. Within a group of videos of similar
duration, the quantile of the watch time says how much better than others one was watched. Zhan et
al., "Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation", KDD 2022
(https://arxiv.org/abs/2206.06003).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feature_spec import names
from feature_spec.spec import FeatureSpec
from trainer.inputs.examples import Examples
from trainer.network.slice_field import SliceField, slice_field

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# The levels of a group's quantiles, from 0 to 1.
LEVELS = 101
# A group of fewer examples has the quantiles of all.
LEAST_EXAMPLES = 100


class Distribution(NamedTuple):
    """A group's labels in ascending order, (N,), and the sum of weights before each, (N + 1,)."""

    labels: Floats
    weights: Floats

    def ranks(self, values: Floats) -> Floats:
        """Return the share of weight below each value, with one half of its equals."""
        below, not_above = (
            np.searchsorted(self.labels, values, side) for side in ("left", "right")
        )
        ranks: Floats = (self.weights[below] + self.weights[not_above]) / (2.0 * self.weights[-1])
        return ranks

    def quantiles(self) -> Floats:
        """Return the labels at `LEVELS` even levels."""
        middles = (self.weights[1:] + self.weights[:-1]) / (2.0 * self.weights[-1])
        levels: Floats = np.interp(np.linspace(0.0, 1.0, LEVELS), middles, self.labels)
        return levels


def distribution_of(labels: Floats, weights: Floats) -> Distribution:
    """Sort labels with their weights, (N,) each."""
    order = np.argsort(labels, kind="stable")
    return Distribution(labels[order], np.concatenate([[0.0], np.cumsum(weights[order])]))


def _places_by_value(values: Rows) -> Iterator[tuple[int, Rows]]:
    """Yield each different value, ascending, with its places: sorted once, however many there are.

    Args:
        values: (N,).
    """
    order = np.argsort(values, kind="stable")
    found, firsts = np.unique(values[order], return_index=True)
    # The first part, before the first value, is empty.
    yield from zip(found.tolist(), np.split(order, firsts)[1:], strict=True)


class LabelQuantiles(NamedTuple):
    """The distributions of one task's labels in the training examples.

    Attributes:
        field: the place of the field that makes the groups.
        rows: the rows of the groups in the field's table, ascending, (G,).
        distributions: the distributions of the groups, then that of all examples.
    """

    field: SliceField
    rows: Rows
    distributions: list[Distribution]

    def groups(self, rows: Rows) -> Rows:
        """Return the place of each row's group; G where it has none of its own."""
        places = np.minimum(np.searchsorted(self.rows, rows), max(len(self.rows) - 1, 0))
        known = self.rows[places] == rows if len(self.rows) else np.zeros(len(rows), bool)
        return np.where(known, places, len(self.rows))

    def ranks(self, labels: Floats, rows: Rows) -> Floats:
        """Return labels as quantiles of their groups, from 0 to 1, (N,)."""
        result = np.zeros(len(labels))
        for group, own in _places_by_value(self.groups(rows)):
            result[own] = self.distributions[group].ranks(labels[own])
        return result

    def levels(self) -> npt.NDArray[np.float32]:
        """Return the labels at even levels, by group and then of all, (G + 1, LEVELS)."""
        return np.stack([one.quantiles() for one in self.distributions]).astype(np.float32)


def label_quantiles(spec: FeatureSpec, train: Examples) -> dict[str, LabelQuantiles]:
    """Return the distributions of the tasks whose labels are quantiles, by task.

    Args:
        spec: the feature spec.
        train: the training examples, with labels in their own unit.

    Raises:
        ValueError: a task has no training example.
    """
    found = {}
    for column, (name, task) in enumerate(spec.tasks.items()):
        if task.quantile_within is None:
            continue
        masks = np.asarray(train.columns[names.MASKS][:, column], np.float64)
        inside = masks > 0.0
        if not inside.any():
            raise ValueError(f"{name}: no training example has a label to take quantiles of")
        field = slice_field(spec, task.quantile_within)
        labels = np.asarray(train.columns[names.LABELS][:, column], np.float64)[inside]
        rows, weights = np.asarray(field.rows(train.columns))[inside], masks[inside]
        groups = [
            (group, distribution_of(labels[own], weights[own]))
            for group, own in _places_by_value(rows)
            if len(own) >= LEAST_EXAMPLES
        ]
        found[name] = LabelQuantiles(
            field,
            np.array([group for group, _ in groups], rows.dtype),
            [*(one for _, one in groups), distribution_of(labels, weights)],
        )
    return found


def with_quantiles(
    spec: FeatureSpec, examples: Examples, quantiles: Mapping[str, LabelQuantiles]
) -> Examples:
    """Return examples in which these tasks' labels are quantiles of the training's labels."""
    if not quantiles:
        return examples
    labels = np.array(examples.columns[names.LABELS], np.float32)
    for name, of_task in quantiles.items():
        column = list(spec.tasks).index(name)
        inside = np.asarray(examples.columns[names.MASKS][:, column], np.float64) > 0.0
        rows = np.asarray(of_task.field.rows(examples.columns))[inside]
        labels[inside, column] = of_task.ranks(labels[inside, column].astype(np.float64), rows)
    return Examples({**examples.columns, names.LABELS: labels})
