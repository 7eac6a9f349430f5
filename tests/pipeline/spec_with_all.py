"""A spec whose pipeline may have every node, and the nodes that every run has."""

from __future__ import annotations

WITH_ALL = """
name: with_all
keys: {user: user}
logs: {exposures: {path: "*.jsonl", format: jsonl}}
split: {evaluation_files: ["evaluation.jsonl"], validation_share: 0.2}
fields:
  user: {side: user, kind: categorical}
  item: {side: item, kind: categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc, threshold: 0.1, tolerance: 1.0}
ranking_formula: {weights: {click: 1.0}}
tuner: {max_trials: 2, search: {trainer.learning_rate: {values: [0.001, 0.003]}}}
drift: {stops_run: true, thresholds: {user: {l_infinity: 0.3}}}
"""
EVERY_RUN = {
    "SpecSchema", "LogsExampleGen", "StatisticsGen", "ExampleValidator", "AnomalyGate", "Transform", "Trainer", "Baseline",
    "Evaluator", "PushCheck", "Pusher", "ModelInsight", "RunReport",
}  # fmt: skip
