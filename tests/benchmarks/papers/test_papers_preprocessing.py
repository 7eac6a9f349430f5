"""Logs become examples in memory, the same rows for networks and gradient boosting."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

ROWS = 400
SPEC = {
    "name": "small",
    "logs": {"exposures": {"path": ["*.csv"], "format": "csv"}, "deduplicate": False},
    "split": {"evaluation_files": ["test.csv"], "validation_share": 0.5, "validation_of": "evaluation"},
    "fields": {
        "colour": {"side": "item", "kind": "categorical", "width": 4},
        "size": {"side": "item", "kind": "numeric"},
    },
    "tasks": {
        "click": {"kind": "binary", "label": {"rule": "event", "column": "clicked"}, "metric": "auc", "threshold": 0.5, "tolerance": 0.1},
        "buy": {
            "kind": "binary", "label": {"rule": "event", "column": "bought"}, "sample_space": {"event": "clicked"}, "metric": "auc",
            "threshold": 0.5, "tolerance": 0.1,
        },
    },
    "ranking_formula": {"weights": {"click": 1.0}},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Red things of size above 0 are clicked."""
    from benchmarks.papers.boosting import prepare_boosting
    from benchmarks.papers.preprocessing import preprocess
    from feature_spec.loading import parse_spec

    folder, logs = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("logs")
    random = np.random.default_rng(0)
    for name in ("train", "test"):
        lines = ["colour,size,clicked,bought"]
        for colour, size in zip(
            random.choice(["red", "blue"], ROWS), random.normal(size=ROWS), strict=True
        ):
            clicked = int(colour == "red" and size > 0)
            lines.append(f"{colour},{size:.4f},{clicked},{int(clicked and size > 1)}")
        (logs / f"{name}.csv").write_text("\n".join(lines) + "\n")
    spec = parse_spec(json.dumps(SPEC))
    preprocess(spec, logs, folder)
    prepare_boosting(spec, folder, [])
    return folder


@pytest.fixture(scope="module")
def workload(folder):
    from benchmarks.papers.preprocessing import load_workload

    return load_workload(folder)


def test_every_line_is_in_one_split(workload):
    rows = {split: len(examples["labels"]) for split, examples in workload.splits.items()}
    assert rows["train"] == ROWS
    assert rows["validation"] + rows["evaluation"] == ROWS


def test_a_task_keeps_its_own_labels_and_sample_space_when_it_is_chosen_alone(workload):
    alone = workload.of_tasks(["buy"])
    assert list(alone.tasks) == list(alone.layout.tasks) == ["buy"]
    for split, examples in workload.splits.items():
        assert np.array_equal(alone.splits[split]["labels"][:, 0], examples["labels"][:, 1])
        # Only what was clicked can be bought.
        assert np.array_equal(alone.splits[split]["masks"][:, 0], examples["labels"][:, 0])


def test_gradient_boosting_has_the_same_rows(workload, folder):
    from benchmarks.papers.boosting import boosting_examples

    for split, examples in workload.splits.items():
        boosted = boosting_examples(folder, split, [0, 1])
        for kind in ("labels", "masks"):
            assert np.array_equal(np.sort(boosted[kind], axis=0), np.sort(examples[kind], axis=0))


def test_gradient_boosting_learns_a_rule_of_a_category_and_a_number(folder):
    from sklearn.metrics import roc_auc_score

    from benchmarks.papers.boosting import boost, boosting_examples

    scores = boost(folder, 0, "binary", {"max_iter": 50}, seed=1)["evaluation"]
    assert (
        roc_auc_score(boosting_examples(folder, "evaluation", [0])["labels"][:, 0], scores) > 0.99
    )
