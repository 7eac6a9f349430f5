"""Metrics without each part of the jackknife, so that runs can be compared example by example.

Examples that are hard for two models cancel out in the difference of their metrics, if both were
judged on the same examples. So its interval follows from the values of both without each part.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np
from pydantic import TypeAdapter

from pipeline.evaluate.evaluation_result import Estimate, TaskVerdict, ValuesByPart
from pipeline.evaluate.metrics.eval_config import CANDIDATE
from pipeline.evaluate.metrics.metric_intervals import unsure_value
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.evaluate.tfma_files import EXAMPLES_BY_PART, Measured
from pipeline.workspace.artifact_files import is_file, read_bytes, write_bytes

_FILE = "values_by_part.json"
_JSON = TypeAdapter(dict[str, ValuesByPart])


def values_by_part(measured: Iterable[Measured]) -> dict[str, ValuesByPart]:
    """Return the candidate's values on the whole split by task."""
    digests: dict[str, str] = {}
    values: dict[str, dict[str, list[float | None]]] = {}
    for one in measured:
        if one.field or one.model != CANDIDATE:
            continue
        if one.metric == EXAMPLES_BY_PART:
            # Sums of fractions depend in their last digits on the order of summation.
            text = " ".join(f"{value:.6g}" for value in one.values.ravel().tolist())
            digests[one.output] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        elif one.metric and one.values.ndim == 1 and len(one.values) > 1:
            values.setdefault(one.output, {})[one.metric] = [
                value if math.isfinite(value) else None for value in one.values.tolist()
            ]
    return {
        task: ValuesByPart(examples=digest, values=values.get(task, {}))
        for task, digest in digests.items()
    }


def write_values_by_part(values: dict[str, ValuesByPart], folder: str) -> None:
    """Write values beside TFMA's own files."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(values))


def read_values_by_part(folder: str) -> dict[str, ValuesByPart]:
    """Read what `write_values_by_part` wrote; {} where an earlier version wrote nothing."""
    file = f"{folder}/{_FILE}"
    return _JSON.validate_json(read_bytes(file)) if is_file(file) else {}


def paired_change(verdict: TaskVerdict, first: TaskVerdict) -> Estimate | None:
    """Return a run's metric minus another's, with an interval where both had the same examples.

    None where a run has no value or the tasks have different metrics.
    """
    if verdict.metric != first.metric or verdict.value is None or first.value is None:
        return None
    change = Estimate(value=verdict.value - first.value)
    one, other = verdict.by_part, first.by_part
    if one is None or other is None or one.examples != other.examples:
        return change
    values = [np.array(of.values.get(verdict.metric, []), np.float64) for of in (one, other)]
    if len(values[0]) != len(values[1]) or not len(values[0]):
        return change
    interval = unsure_value(values[0] - values[1]).interval
    ends = meaning_of(verdict.metric).range.change_interval(*interval) if interval else None
    return Estimate(value=change.value, lower=ends[0], upper=ends[1]) if ends else change
