"""A ranker whose logits are fields of the request, exported as networks are: tests choose every score."""

from __future__ import annotations

from types import SimpleNamespace

import tensorflow as tf

from feature_spec.feature_layout import NUMBERS
from feature_spec.loading import parse_spec
from trainer.export.saved_model import ExportedRanker

TASKS = [f"t{k}" for k in range(12)]
FIELDS = """
  segment: {side: user, kind: categorical}
  recent: {side: user, kind: sequence, shares: item, max_length: 3}
  activity: {side: user, kind: numeric, minimum: 0}
  hour: {side: context, kind: numeric, minimum: 0, maximum: 23}
  item: {side: item, kind: categorical}
  tags: {side: item, kind: multi_categorical, max_length: 2}
  length_s: {side: item, kind: numeric, minimum: 0, maximum: 3600}
"""


def spec_of(tasks=TASKS, kind="binary", transform="log1p"):
    metric = "auc" if kind == "binary" else "mse"
    label = "{rule: event, column: c}" if kind == "binary" else "{rule: column, column: c}"
    logits = "".join(f"  logit_{task}: {{side: item, kind: numeric}}\n" for task in tasks)
    judged = "".join(
        f"  {task}: {{kind: {kind}, label: {label}, metric: {metric}, threshold: 0.5, tolerance: 0.1}}\n"
        for task in tasks
    )
    return parse_spec(
        "name: given\nlogs: {exposures: {path: x, format: jsonl}}\nsplit: {evaluation_files: [x]}\n"
        f"fields:{FIELDS}{logits}tasks:\n{judged}"
        f"ranking_formula:\n  weights: {{{', '.join(f'{task}: 1.0' for task in tasks)}}}\n"
        f"  duration: {{field: length_s, transform: {transform}, scale: 10.0, weight: 1.0}}\n"
    )


class GivenLogits(tf.Module):
    """Stands for a network: its logits are the numbers of a candidate."""

    def __init__(self, spec):
        super().__init__()
        self.layout = SimpleNamespace(tasks={name: task.kind for name, task in spec.tasks.items()})

    def __call__(self, features, one_request=False):
        numbers = features[NUMBERS["candidate"]]
        return {task: numbers[:, k] for k, task in enumerate(self.layout.tasks)}

    def scores(self, logits):
        return {
            task: tf.sigmoid(logits[task]) if kind == "binary" else logits[task]
            for task, kind in self.layout.tasks.items()
        }


class Packed(tf.Module):
    """Stands for the transform graph: packs the logits, and reads all other fields."""

    def __init__(self, spec):
        super().__init__()
        self.spec = spec

    def __call__(self, fields):
        numbers = [fields[f"logit_{task}"] for task in self.spec.tasks if "item" in fields]
        return {NUMBERS["candidate"]: tf.stack(numbers, axis=1)} if numbers else {}


def ranker(spec, **settings):
    return ExportedRanker(spec, GivenLogits(spec), Packed(spec), **settings)


def request(spec, logits, **changes):
    """The inputs of a ranking request for candidates with these logits, (C, K)."""
    import numpy as np

    logits = np.asarray(logits, np.float32)
    count = len(logits)
    inputs = {
        "segment": ["a"],
        "recent": [["i1", "i2"]],
        "activity": np.float32([1.0]),
        "hour": np.float32([7.0]),
        "item": ["i"] * count,
        "tags": [["x", ""]] * count,
        "length_s": np.full(count, np.nan, np.float32),
        **{f"logit_{task}": logits[:, k] for k, task in enumerate(spec.tasks)},
        **{f"weight_of_{task}": np.float32(1.0) for task in spec.tasks},
        "weight_of_duration": np.float32(1.0),
        "spec_fingerprint": spec.fingerprint,
    }
    return inputs | changes
