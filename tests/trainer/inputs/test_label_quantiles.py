"""Labels as quantiles of their group in the training examples, and back in the graph."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.loading import SpecError, parse_spec  # noqa: E402
from trainer.export.quantile_scores import QuantileScores  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.inputs.label_quantiles import label_quantiles, with_quantiles  # noqa: E402

pytestmark = pytest.mark.tensorflow

TEXT = """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  duration_s: {side: item, kind: numeric, transform: quantiles, buckets: 4, width: 2, minimum: 0}
  price: {side: item, kind: numeric}
  place: {side: item, kind: categorical, training_only: {dropout_rate: 0.1}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse, quantile_within: duration_s}
ranking_formula: {weights: {click: 1, watch: 1}}
"""
SPEC = parse_spec(TEXT)
SHORT, LONG, RARE = 1, 3, 4


def examples(rows, labels, weights=None):
    labels = np.stack([np.zeros(len(rows)), labels], axis=1).astype("f4")
    weights = np.ones(len(rows)) if weights is None else weights
    return Examples(
        {
            "candidate_ids": np.asarray(rows, np.int64)[:, np.newaxis],
            "labels": labels,
            "masks": np.stack([np.ones(len(rows)), weights], axis=1).astype("f4"),
        }
    )


def of_two_groups():
    """In short videos 0 to 99 seconds are watched, in long ones ten times that."""
    seconds = np.arange(100.0)
    rows = np.repeat([SHORT, LONG], 100)
    return examples(rows, np.concatenate([seconds, 10 * seconds]))


def test_a_label_becomes_the_share_below_it_in_its_group_with_one_half_of_its_equals():
    found = label_quantiles(SPEC, of_two_groups())
    ranked = with_quantiles(SPEC, of_two_groups(), found).columns["labels"][:, 1]
    # 0 of 100 lie below 0 and one equals it: .5 / 100; 30 lie below 30.
    assert ranked[[0, 30, 99]] == pytest.approx([0.005, 0.305, 0.995])
    assert ranked[100:] == pytest.approx(ranked[:100])
    equal = label_quantiles(SPEC, examples([SHORT] * 100, [5.0] * 60 + [9.0] * 40))["watch"]
    assert equal.ranks(np.array([5.0, 7.0, 9.0]), np.array([SHORT] * 3)) == pytest.approx([0.3, 0.6, 0.8])  # fmt: skip


def test_other_examples_are_ranked_by_the_training_examples_alone():
    found = label_quantiles(SPEC, of_two_groups())
    other = with_quantiles(SPEC, examples([SHORT, SHORT, LONG], [-5.0, 1e6, 305.0]), found)
    assert other.columns["labels"][:, 1] == pytest.approx([0.0, 1.0, 0.31])
    assert other.columns["labels"][:, 0].tolist() == [0.0, 0.0, 0.0]


def test_rows_count_by_their_weights_and_rows_outside_the_sample_space_do_not():
    weights = np.repeat([3.0, 1.0, 0.0], 100)
    data = examples([SHORT] * 300, np.repeat([2.0, 4.0, 1e9], 100), weights)
    found = label_quantiles(SPEC, data)
    assert found["watch"].ranks(np.array([2.0, 4.0]), np.array([SHORT] * 2)) == pytest.approx(
        [0.375, 0.875]
    )
    assert with_quantiles(SPEC, data, found).columns["labels"][200:, 1] == pytest.approx(1e9)


def test_memory_is_for_rows_however_many_groups_there_are():
    """A mask of all rows for each of 1,000 groups would take 100 MB."""
    data = examples(np.tile(np.arange(1_000), 100), np.repeat(np.arange(100.0), 1_000))
    tracemalloc.start()
    try:
        found = label_quantiles(SPEC, data)
        ranked = with_quantiles(SPEC, data, found).columns["labels"][:, 1]
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found["watch"].rows) == 1_000
    assert ranked == pytest.approx(np.repeat(np.arange(0.005, 1.0, 0.01), 1_000))
    assert most_bytes < 40e6


def test_a_group_of_few_examples_is_ranked_among_all():
    rows = np.concatenate([np.full(100, SHORT), np.full(99, RARE)])
    found = label_quantiles(SPEC, examples(rows, np.arange(199.0)))["watch"]
    assert found.rows.tolist() == [SHORT]
    # 150 of all 199 lie below 150.
    assert found.ranks(np.array([150.0]), np.array([RARE])) == pytest.approx([150.5 / 199])


@pytest.mark.parametrize("unknown", [0, 2, 9])
def test_scores_are_the_labels_at_the_predicted_quantiles_of_their_group(unknown):
    data = of_two_groups()
    found = label_quantiles(SPEC, data)
    values = QuantileScores(found)
    scores = {"click": tf.constant([0.1] * 4), "watch": tf.constant([0.305, 0.305, 2.0, -1.0])}
    features = {"candidate_ids": tf.constant([[SHORT], [LONG], [LONG], [SHORT]], tf.int64)}
    given = values(scores, features)
    assert given["watch"].numpy() == pytest.approx([30.0, 300.0, 990.0, 0.0], abs=1e-3)
    assert given["click"] is scores["click"]
    # A group that training did not see has the quantiles of all.
    alone = values({"watch": tf.constant([0.5])}, {"candidate_ids": tf.constant([[unknown]], tf.int64)})  # fmt: skip
    assert alone["watch"].numpy()[0] == pytest.approx(np.median(data.columns["labels"][:, 1]), rel=0.1)  # fmt: skip


def test_from_a_label_to_its_quantile_and_back_is_the_label():
    random = np.random.default_rng(0)
    rows = random.choice([SHORT, LONG, RARE], 5000)
    labels = random.exponential(size=5000) * np.array([0, 10, 0, 100, 3])[rows]
    data = examples(rows, labels)
    found = label_quantiles(SPEC, data)
    ranked = tf.constant(with_quantiles(SPEC, data, found).columns["labels"][:, 1])
    back = QuantileScores(found)({"watch": ranked}, {"candidate_ids": tf.constant(rows[:, None])})
    # To one hundredth of the levels: the last holds the tail.
    below = ranked.numpy() < 0.97
    error = (
        np.abs(back["watch"].numpy() - labels)[below] / np.array([0, 10, 0, 100, 3])[rows][below]
    )
    assert error.max() < 0.1
    assert error.mean() < 0.005


def test_a_score_that_is_no_number_stays_none():
    values = QuantileScores(label_quantiles(SPEC, of_two_groups()))
    features = {"candidate_ids": tf.constant([[SHORT]], tf.int64)}
    assert np.isnan(values({"watch": tf.constant([np.nan])}, features)["watch"][0])


def test_without_such_a_task_examples_stay_on_disk_as_they_are():
    plain = parse_spec(TEXT.replace(", quantile_within: duration_s", ""))
    data = of_two_groups()
    assert label_quantiles(plain, data) == {}
    assert with_quantiles(plain, data, {}) is data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("duration_s", None),
        ("price", "no such categorical field, or numeric one with 'transform: quantiles'"),
        ("duration", "did you mean 'duration_s'"),
        ("place", "no such categorical field"),
    ],
)
def test_groups_are_values_of_a_field_that_has_rows(change, message):
    text = TEXT.replace("quantile_within: duration_s", f"quantile_within: {change}")
    if message is None:
        assert parse_spec(text).tasks["watch"].quantile_within == change
        return
    with pytest.raises(SpecError, match=message):
        parse_spec(text)


def test_a_binary_task_has_no_quantiles():
    text = TEXT.replace("metric: auc}", "metric: auc, quantile_within: duration_s}")
    with pytest.raises(SpecError, match="needs a regression, whose labels have quantiles"):
        parse_spec(text)
