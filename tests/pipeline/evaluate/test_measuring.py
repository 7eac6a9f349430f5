"""Sums over scored examples: however a runner divides the examples, the metrics come to the same."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.metrics.jackknife import parts_of

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]  # TFMA's protos bring TensorFlow

ROWS = 10_000
SPEC = parse_spec("""
name: tiny
keys: {user: u, request: r}
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  tab: {side: item, kind: categorical}
  country: {side: user, kind: categorical}
  page: {side: context, kind: categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.6, tolerance: 0.01}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse, threshold: 1, tolerance: 0.01}
ranking_formula: {weights: {click: 1}}
evaluation:
  ndcg: {by: request, relevance: {click: 1}}
  slices: [{field: tab}, {field: country}, {field: page}]
""")
SLICES = ("tab", "country", "page")


@pytest.fixture(scope="module")
def features() -> dict[str, Any]:
    """A fifth lies outside click's sample space, with labels and scores that would show."""
    random = np.random.default_rng(1)
    inside = random.random(ROWS) < 0.8
    labels = np.where(inside, random.random(ROWS) < 0.3, 1.0)
    user = random.integers(0, 400, ROWS)

    def texts(numbers: np.ndarray) -> pa.Array:
        return pa.array([str(number).encode() for number in numbers], pa.large_binary())

    scores = [np.where(inside, random.random(ROWS), 0.0), random.random(ROWS)]
    ones = np.ones(ROWS)
    return {
        "user_key": texts(user),
        "request_key": texts(user * 10 + random.integers(0, 10, ROWS)),
        "part of the jackknife": parts_of(texts(user)),
        "tab": texts(random.integers(0, 3, ROWS)),
        # Of some users it is not always the same.
        "country": texts((user + (random.random(ROWS) < 0.01)) % 4),
        "page": texts(random.integers(0, 2, ROWS)),
        "click": np.stack([labels, inside, *scores], axis=1),
        "watch": np.stack([random.random(ROWS), ones, random.random(ROWS)], axis=1),
        "ranking_score": np.stack([labels * inside, ones, random.random(ROWS)], axis=1),
    }


def rows_of(features: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {
        name: values[rows] if isinstance(values, np.ndarray) else values.take(pa.array(rows))
        for name, values in features.items()
    }


def measured(
    *shares: dict[str, Any], spec: FeatureSpec = SPEC
) -> dict[tuple[str, ...], np.ndarray]:
    """As workers do it: each share gives sums and tables, which are pickled and meet by their keys."""
    from pipeline.evaluate.measuring import (
        list_metric,
        list_sums,
        list_tables,
        task_metrics,
        task_sums,
    )
    from pipeline.evaluate.metrics.metric_accumulators import merged

    sums: dict[Any, list[Any]] = {}
    tables: dict[Any, list[Any]] = {}
    lists: dict[Any, list[Any]] = {}
    for share in shares:
        for made, found in ((sums, task_sums(spec, share)), (tables, list_tables(spec, share))):
            for place, one in found:
                made.setdefault(place, []).append(pickle.loads(pickle.dumps(one)))
    for (key, _), of_key in tables.items():
        for place, by_part in list_sums(spec, key, of_key):
            lists.setdefault(place, []).append(by_part)
    all_measured = [
        *(
            one
            for place, of_place in sums.items()
            for one in task_metrics(spec, place, merged(of_place))
        ),
        *(list_metric(*place, sum(of_place)) for place, of_place in lists.items()),
    ]
    return {
        (one.field, one.slice_value.decode(), one.output, one.model, one.metric): one.values
        for one in all_measured
    }


@pytest.fixture(scope="module")
def expected(features: dict[str, Any]) -> dict[tuple[str, ...], np.ndarray]:
    return measured(features)


WHOLE = ("", "", "click", "candidate")


def test_it_counts_the_examples_of_the_sample_space(
    expected: dict[tuple[str, ...], np.ndarray], features: dict[str, Any]
) -> None:
    assert expected[(*WHOLE, "example_count")].tolist() == [features["click"][:, 1].sum()]


def test_it_measures_them_alone(
    expected: dict[tuple[str, ...], np.ndarray], features: dict[str, Any]
) -> None:
    losses = [
        -math.log(score if label else 1.0 - score)
        for label, inside, score, _ in features["click"]
        if inside
    ]
    assert expected[(*WHOLE, "log_loss")][0] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("count", [2, 7])
def test_examples_in_any_shares_come_to_the_same(
    features: dict[str, Any], expected: dict[tuple[str, ...], np.ndarray], count: int
) -> None:
    order = np.random.default_rng(count).permutation(ROWS)
    found = measured(*(rows_of(features, rows) for rows in np.array_split(order, count)))
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, nan_ok=True), key


def test_a_slice_is_measured_as_its_examples_alone(
    features: dict[str, Any], expected: dict[tuple[str, ...], np.ndarray]
) -> None:
    for field in SLICES:
        for value in set(features[field].to_pylist()):
            rows = np.flatnonzero(np.array(features[field].to_pylist()) == value)
            alone = measured(rows_of(features, rows))
            for metric in ("example_count", "auc", "log_loss", ""):
                for model in ("candidate", "baseline"):
                    key = (field, value.decode(), "click", model, metric)
                    assert expected[key] == pytest.approx(alone["", "", "click", model, metric])
            key = (field, value.decode(), "watch", "candidate", "xauc")
            assert expected[key] == pytest.approx(alone["", "", *key[2:]])


def test_all_examples_of_a_user_count_in_each_slice_that_holds_one(
    features: dict[str, Any], expected: dict[tuple[str, ...], np.ndarray]
) -> None:
    users, countries = (np.array(features[key].to_pylist()) for key in ("user_key", "country"))
    rows = np.flatnonzero(np.isin(users, users[countries == b"2"]))
    assert len(rows) > (countries == b"2").sum()
    alone = measured(rows_of(features, rows))
    found = expected["country", "2", "click", "candidate", "gauc"]
    assert found == pytest.approx(alone[(*WHOLE, "gauc")])


def test_lists_have_no_metrics_on_slices_that_divide_them(
    expected: dict[tuple[str, ...], np.ndarray],
) -> None:
    fields = {
        metric: {key[0] for key in expected if key[4] == metric} for metric in ("gauc", "ndcg")
    }
    assert fields == {"gauc": {"", "country"}, "ndcg": {"", "country", "page"}}


def test_gauc_by_request_is_the_auc_of_each_request_by_its_number_of_examples(
    features: dict[str, Any],
) -> None:
    sections = SPEC.evaluation.model_copy(update={"gauc_by": "request"})
    spec = SPEC.model_copy(update={"evaluation": sections})
    found = measured(features, spec=spec)
    requests = np.array(features["request_key"].to_pylist())
    ordered = weights = 0.0
    for request in np.unique(requests):
        labels, inside, scores, _ = features["click"][requests == request].T
        positives, negatives = (scores[(labels == label) & (inside > 0)] for label in (1, 0))
        pairs = len(positives) * len(negatives)
        if pairs:
            above = np.sum(positives[:, None] > negatives) + 0.5 * np.sum(
                positives[:, None] == negatives
            )
            size = len(positives) + len(negatives)
            ordered, weights = ordered + size * above / pairs, weights + size
    assert found[(*WHOLE, "gauc")][0] == pytest.approx(ordered / weights)
    assert len(found[(*WHOLE, "gauc")]) == 21
    assert {key[0] for key in found if key[4] == "gauc"} == {"", "country", "page"}


def test_xauc_is_the_share_of_pairs_in_the_order_of_their_labels() -> None:
    # Labels 1, 2, 4 and 4 with scores 2, 1, 8 and 2: of the pairs with different labels (1, 2) is
    # wrong, (1, 4) right, (1, 4) a tie, (2, 4) right and (2, 4) right: 3.5 of 5.
    from pipeline.evaluate.metrics.metric_accumulators import metrics_of, sums_of

    rows = np.array([[0, 1, 2, 1], [1, 2, 1, 1], [2, 4, 8, 1], [3, 4, 2, 1]], float)
    values = metrics_of("regression", sums_of("regression", rows))["xauc"]
    # Without each of the rows in turn: 2 of 2, 1.5 of 2, 1.5 of 3 and 2 of 3.
    assert values == pytest.approx([3.5 / 5, 1.0, 0.75, 0.5, 2 / 3])
