"""A small spec with every kind of part."""

from __future__ import annotations

import pytest

SPEC = """
name: tiny
keys: {user: user_id, event_time: {column: t, unit: ms}}
logs:
  exposures: {path: "*.jsonl", format: jsonl}
  tables: {users: {path: users.csv, format: csv, key: user_id}}
split: {evaluation_days: 1}
fields:
  user_id: {side: user, kind: categorical, vocabulary: {min_count: 2}}
  age: {side: user, kind: numeric, table: users}
  item_id: {side: item, kind: categorical}
  recent: {side: user, kind: sequence, shares: item_id}
  length_s: {side: item, kind: numeric, minimum: 0}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.6, tolerance: 0.01}
  ratio:
    kind: regression
    label: {rule: ratio, numerator: play_s, denominator: length_s, clip: 1.0}
    metric: mse
    threshold: 0.2
    tolerance: 0.01
ranking_formula: {weights: {click: 1.0}, duration: {field: length_s}}
"""


@pytest.fixture
def spec_text():
    return SPEC
