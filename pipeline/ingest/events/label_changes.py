"""What is known of an impression from each of its actions on: labels, and conditions of sequences.

Impressions with actions get lists, whose elements are in the order of time:

| column | type | content |
|---|---|---|
| `change.time_us` | list of int64 | the time of the impression, then the times of its actions; null without actions |
| `change.label.<task>` | list of float64 | the label from then on, NaN outside the sample space |
| `change.where.<sequence>` | list of bool | whether the impression counts for a sequence |

Labels and conditions that do not depend on actions have no list.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_spec.logs.event_logs import Actions
from feature_spec.names import EVENT_TIME
from pipeline.ingest.events.event_join import folded, values_of_joined
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.labelled_rows import (
    ARRIVAL,
    CHANGE,
    CHANGE_TIME,
    LABEL,
    WHERE,
    ValuesReader,
)

_Integers = npt.NDArray[np.int64]


def with_label_changes(
    impressions: pa.Table,
    actions: pa.Table,
    owners: _Integers,
    rules: Actions,
    read_values: ValuesReader,
) -> pa.Table:
    """Add the lists of changes to impressions.

    Args:
        impressions: joined impressions (see `event_rows`).
        actions: N actions that are attributed to them.
        owners: the place of each action's impression, (N,).
        rules: the rules of the spec for actions.
        read_values: reads the fields and labels that need actions.
    """
    known_us = impressions.column(EVENT_TIME).to_numpy()
    if ARRIVAL in impressions.column_names:
        known_us = np.maximum(known_us, impressions.column(ARRIVAL).to_numpy())
    versions = _Versions(known_us, actions.column(EVENT_TIME).to_numpy(), owners)
    columns = {
        column: folded(
            rule, actions.take(pa.array(versions.actions)), versions.of_actions, versions.count
        )
        for column, rule in rules.folds.items()
    }
    problems: Problems = {}
    values = values_of_joined(
        impressions.take(pa.array(versions.owners)), columns, read_values, problems
    )
    usable = versions.usable(problems)
    impressions = impressions.append_column(CHANGE_TIME, versions.lists(pa.array(versions.times)))
    for name, column in values.items():
        if name.startswith((LABEL, WHERE)):
            known = column.take(pa.array(usable))
            if pa.types.is_floating(known.type):
                known = known.fill_null(np.nan)
            impressions = impressions.append_column(CHANGE + name, versions.lists(known))
    return impressions


class _Versions:
    """Impressions with actions as they are known, before their actions and after each.

    Args:
        known_us: the times at which impressions became known, (I,).
        times_us: the times of actions, (N,).
        owners: the impressions of the actions, (N,).

    Attributes:
        count: V, the number of versions.
        owners: the impression of each version, (V,), ascending.
        times: the time from which each version is known, (V,), ascending for an impression.
        actions, of_actions: pairs of an action and a version that knows it.
    """

    def __init__(self, known_us: _Integers, times_us: _Integers, owners: _Integers) -> None:
        # An action counts no earlier than its impression.
        times = np.maximum(times_us, known_us[owners])
        with_actions = np.unique(owners)
        moments = np.stack(
            [
                np.concatenate([with_actions, owners]),
                # The version before all actions, although one may come at the same time.
                np.concatenate([known_us[with_actions] - 1, times]),
            ],
            axis=1,
        )
        pairs, version_of = np.unique(moments, axis=0, return_inverse=True)
        pairs, version_of = pairs.reshape(-1, 2), version_of.reshape(-1)
        self.owners, begins_us = pairs[:, 0], pairs[:, 1]
        self.count = len(pairs)
        self._impressions = len(known_us)
        self._begins = np.searchsorted(self.owners, self.owners)
        is_first = self._begins == np.arange(self.count)
        self.times = np.where(is_first, begins_us + 1, begins_us)
        # The first version that knows an action, and the end of its impression's versions.
        first = version_of[len(with_actions) :]
        copies = np.searchsorted(self.owners, owners, side="right") - first
        self.actions = np.repeat(np.arange(len(owners)), copies)
        ends = np.cumsum(copies)
        self.of_actions = np.arange(len(self.actions)) + np.repeat(first - ends + copies, copies)

    def usable(self, problems: Mapping[int, object]) -> _Integers:
        """Return for each version the last one up to it without a problem, (V,)."""
        places = np.arange(self.count)
        places[list(problems)] = -1
        return np.maximum(np.maximum.accumulate(places), self._begins) if self.count else places

    def lists(self, values: pa.Array) -> pa.Array:
        """Return the values of versions, (V,), as lists of impressions, (I,)."""
        offsets = np.searchsorted(self.owners, np.arange(self._impressions + 1)).astype(np.int32)
        missing = pa.array(offsets[1:] == offsets[:-1])
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=missing)
