"""Features that are made for slices, for NDCG and for the jackknife."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from feature_spec.loading import parse_spec
from feature_spec.logs.logs import Keys
from feature_spec.sections import Weight
from feature_spec.tasks.task import Task
from pipeline.evaluate.example_columns import derived_features, joined_scores
from pipeline.evaluate.metrics.jackknife import part_of

SPEC = parse_spec("""
name: tiny
keys: {user: u}
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {tab: {side: context, kind: categorical}, age: {side: item, kind: numeric}, idle: {side: item, kind: categorical}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.6, tolerance: 0.01}
  share: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.6, tolerance: 0.01}
ranking_formula: {weights: {click: 1}}
evaluation:
  ndcg: {relevance: {click: 1, share: 5}}
  slices: [{field: tab}, {field: age, boundaries: [1, 7.5]}, {field: idle}]
""")


@pytest.fixture
def batch() -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "user_key": [[b"u"], [b"v"], [b"w"]],
            "tab": [[b"1"], [b""], None],
            "age": [[0.5], [1.0], [float("nan")]],
            "label_of_click": [[1.0], [0.0], [1.0]],
            "mask_of_click": [[1.0], [1.0], [1.0]],
            "label_of_share": [[1.0], [1.0], [1.0]],
            "mask_of_share": [[0.0], [1.0], [1.0]],
        }
    )


def test_a_slice_is_named_by_value_or_range_and_may_be_missing(batch: pa.RecordBatch) -> None:
    features = derived_features(batch, SPEC)
    assert features["tab"].tolist() == [b"1", b"missing", b"missing"]
    assert features["age"].tolist() == [b"below 1", b"1 to 7.5", b"missing"]
    assert features["idle"].tolist() == [b"missing"] * 3


def test_the_gain_is_the_weighted_sum_of_labels_inside_their_sample_spaces(
    batch: pa.RecordBatch,
) -> None:
    # And each list counts alike.
    assert derived_features(batch, SPEC)["ranking_score"].tolist() == [
        [1.0, 1.0],
        [5.0, 1.0],
        [6.0, 1.0],
    ]


def test_a_task_has_labels_and_its_masks_as_weights(batch: pa.RecordBatch) -> None:
    assert derived_features(batch, SPEC)["share"].tolist() == [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]


def test_scores_of_the_candidate_then_of_the_baseline_stand_beside_them() -> None:
    features = {
        "tab": np.array([b"1"]),
        "click": np.array([[1.0, 1.0]]),
        "share": np.array([[0.0, 1.0]]),
    }
    candidate = {"click": np.array([[0.7]]), "share": np.array([[0.2]])}
    predictions = {"candidate": candidate, "baseline": {"click": np.array([[0.6]])}}
    compared = joined_scores(features, predictions, ["click", "share"])
    assert [compared[name].tolist() for name in ("click", "share")] == [
        [[1.0, 1.0, 0.7, 0.6]],
        [[0.0, 1.0, 0.2]],
    ]
    alone = joined_scores(features, {"candidate": candidate}, ["click"])
    assert alone["click"].tolist() == [[1.0, 1.0, 0.7]]


def test_a_ranking_score_stands_with_its_logarithm_where_the_model_gives_one() -> None:
    """NDCG then tells candidates apart whose score float32 takes for 0."""
    features = {"ranking_score": np.array([[1.0, 1.0], [0.0, 1.0]])}
    zeros = np.zeros((2, 1), np.float32)
    candidate = {"ranking_score": zeros, "log_ranking_score": np.array([-90.0, -91.0])}
    older = {"ranking_score": np.array([0.5, 0.25])}
    predictions = {"candidate": candidate, "baseline": older}
    joined = joined_scores(features, predictions, ["ranking_score"])["ranking_score"]
    assert joined.tolist() == [[1.0, 1.0, -90.0, 0.5], [0.0, 1.0, -91.0, 0.25]]


def test_examples_of_one_user_belong_to_one_part_of_the_jackknife(batch: pa.RecordBatch) -> None:
    assert derived_features(batch, SPEC)["part of the jackknife"].tolist() == [
        part_of(user) for user in (b"u", b"v", b"w")
    ]


def test_where_nobody_is_named_each_example_has_a_part_by_itself(batch: pa.RecordBatch) -> None:
    nameless = SPEC.model_copy(update={"keys": Keys()})
    raw = batch.append_column("__raw_record__", pa.array([[b"a"], [b"b"], [b"a"]]))
    assert derived_features(raw, nameless)["part of the jackknife"].tolist() == [
        part_of(b"a"),
        part_of(b"b"),
        part_of(b"a"),
    ]


def test_only_keys_that_the_spec_names_are_read(batch: pa.RecordBatch) -> None:
    features = derived_features(batch, SPEC)
    assert features["user_key"].tolist() == [b"u", b"v", b"w"]
    assert "request_key" not in features


def test_a_candidate_that_lacks_a_task_is_an_error_that_names_both() -> None:
    features = {"click": np.array([[1.0, 1.0]])}
    with pytest.raises(ValueError, match="no output click; its outputs are like, share"):
        joined_scores(
            features, {"candidate": dict.fromkeys(("share", "like"), np.zeros(1))}, ["click"]
        )


def test_the_value_of_a_list_is_its_first(batch: pa.RecordBatch) -> None:
    lists = pa.array([[b"2", b"1"], [], [b"1", b"2"]])
    changed = batch.set_column(batch.schema.get_field_index("tab"), "tab", lists)
    assert derived_features(changed, SPEC)["tab"].tolist() == [b"2", b"missing", b"1"]


def test_examples_count_by_their_weights_in_tasks_and_alike_in_lists(batch: pa.RecordBatch) -> None:
    weights = pa.array([[0.5], [2.0], [0.0]])
    weighted = batch.append_column("weight_of_example", weights)
    spec = SPEC.model_copy(update={"weight": Weight(column="w")})
    features = derived_features(weighted, spec)
    assert features["share"][:, 1].tolist() == [0.0, 2.0, 0.0]
    assert features["click"].tolist() == [[1.0, 0.5], [0.0, 2.0], [1.0, 0.0]]
    assert features["ranking_score"].tolist() == [[1.0, 1.0], [5.0, 1.0], [6.0, 1.0]]


def test_a_joint_probability_has_labels_over_the_whole_space_where_its_chain_is_known() -> None:
    given = {"kind": "binary", "metric": "auc", "label": {"rule": "event", "column": "c"}}
    chain = {
        "buy": Task.model_validate(given | {"given": "click"}),
        "rate": Task.model_validate(given | {"given": "buy"}),
    }
    spec = SPEC.model_copy(update={"tasks": SPEC.tasks | chain, "weight": Weight(column="w")})
    # Outside; not clicked; not bought; bought and not rated; rated; bought, rating unknown; clicked,
    # purchase unknown.
    inside = {
        "click": [0, 1, 1, 1, 1, 1, 1],
        "buy": [0, 0, 1, 1, 1, 1, 0],
        "rate": [0, 0, 0, 1, 1, 0, 0],
        "share": [0] * 7,
    }
    happened = {
        "click": [0, 0, 1, 1, 1, 1, 1],
        "buy": [0, 0, 0, 1, 1, 1, 0],
        "rate": [0, 0, 0, 0, 1, 0, 0],
        "share": [0] * 7,
    }
    columns = {f"mask_of_{task}": [[float(one)] for one in ones] for task, ones in inside.items()}
    columns |= {f"label_of_{task}": [[float(x)] for x in ones] for task, ones in happened.items()}
    columns |= {"user_key": [[b"u"]] * 7, "weight_of_example": [[2.0]] * 7}
    features = derived_features(pa.RecordBatch.from_pydict(columns), spec)
    of_buy, of_rate = features["joint_of_buy"], features["joint_of_rate"]
    assert of_buy[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert of_buy[:, 1].tolist() == [0, 2, 2, 2, 2, 2, 0]
    assert of_rate[:, 0].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert of_rate[:, 1].tolist() == [0, 2, 2, 2, 2, 0, 0]
