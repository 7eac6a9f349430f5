"""The joint loss, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.tasks.task import Task  # noqa: E402
from trainer.loss.joint_loss import JointLoss, sample_space_sizes  # noqa: E402

pytestmark = pytest.mark.tensorflow

EVENT = {"rule": "event", "column": "x"}


def task(**changes):
    settings = {
        "kind": "binary",
        "label": EVENT,
        "metric": "auc",
        "threshold": 0.5,
        "tolerance": 0.1,
    }
    return Task.model_validate(settings | changes)


def regression(**changes):
    return task(kind="regression", label={"rule": "column", "column": "y"}, metric="mse", **changes)


def losses(tasks, labels, logits, masks, clock=0):
    layer = JointLoss(tasks)
    tensors = {name: tf.constant(values) for name, values in zip(tasks, logits, strict=True)}
    return {
        name: float(loss)
        for name, loss in layer(
            tf.constant(labels),
            tensors,
            tf.constant(masks),
            sample_space_sizes(tf.constant(masks)),
            clock=tf.constant(clock),
        ).items()
    }


def test_cross_entropy_is_the_mean_over_the_sample_space_only():
    # Logit 0 is p = ½ and costs log 2; logit log 3 is p = ¾ and costs log 4 where the label is 0.
    # The third row is masked.
    result = losses(
        {"share": task()},
        [[1.0], [0.0], [1.0]],
        [[0.0, math.log(3.0), 99.0]],
        [[1.0], [1.0], [0.0]],
    )
    assert result["share"] == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-6)


def test_a_regression_costs_the_squared_error_of_its_logit():
    # (2 − 0.5)² = 2.25 and (1 − 1)² = 0 over two rows.
    result = losses({"ratio": regression()}, [[0.5], [1.0]], [[2.0, 1.0]], [[1.0], [1.0]])
    assert result["ratio"] == pytest.approx(1.125)


def test_a_masked_batch_costs_what_its_sub_batch_costs():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (20, 2)).astype("f4")
    masks = random.integers(0, 2, (20, 2)).astype("f4")
    logits = random.normal(size=(2, 20)).astype("f4")
    tasks = {"a": task(), "b": regression()}
    whole = losses(tasks, labels, list(logits), masks)
    for position, name in enumerate(tasks):
        rows = masks[:, position] > 0
        alone = losses(
            {name: tasks[name]},
            labels[rows, position : position + 1],
            [logits[position, rows]],
            np.ones((rows.sum(), 1), "f4"),
        )
        assert whole[name] == pytest.approx(alone[name], rel=1e-5)


def test_a_batch_without_a_valid_row_costs_nothing_and_moves_nothing():
    layer = JointLoss({"share": task(), "ratio": regression()})
    logits = {"share": tf.Variable([5.0, -3.0]), "ratio": tf.Variable([5.0, -3.0])}
    with tf.GradientTape() as tape:
        loss = tf.add_n(
            list(
                layer(
                    tf.ones([2, 2]), logits, tf.zeros([2, 2]), tf.zeros([2]), clock=tf.constant(0)
                ).values()
            )
        )
    assert float(loss) == 0.0
    for gradient in tape.gradient(loss, list(logits.values())):
        assert gradient.numpy().tolist() == [0.0, 0.0]


def test_weights_follow_the_clock():
    # ω^(t) = 2 · 0.5^3 = 0.25 times the loss log 2.
    result = losses(
        {"a": task(loss_weight=2.0, loss_weight_update_ratio=0.5)},
        [[1.0]],
        [[0.0]],
        [[1.0]],
        clock=3,
    )
    assert result["a"] == pytest.approx(0.25 * math.log(2), rel=1e-6)


def test_tasks_whose_names_begin_alike_share_nothing():
    result = losses(
        {"click": task(), "click_long": task()},
        [[1.0, 1.0]],
        [[0.0], [math.log(3.0)]],
        [[1.0, 1.0]],
    )
    assert result["click"] == pytest.approx(math.log(2), rel=1e-6)
    assert result["click_long"] == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_a_metric_counts_the_sample_space_only():
    layer = JointLoss({"a": task()})
    # Valid rows: positive with logit 2, negative with 1: AUC 1. The masked row would make it ½.
    layer(
        tf.constant([[1.0], [0.0], [0.0]]),
        {"a": tf.constant([2.0, 1.0, 9.0])},
        tf.constant([[1.0], [1.0], [0.0]]),
        tf.constant([2.0]),
        clock=tf.constant(0),
    )
    assert float(layer.losses_of["a"].metric.result()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("scale", [1.0, 0.001, 1000.0])
def test_rows_count_by_their_weights_whatever_their_scale(scale):
    # Squared errors 1 and 9 with weights 3 and 1: (3 · 1 + 1 · 9) / 4 = 3. The last row weighs 0.
    found = losses(
        {"watch": regression()},
        [[1.0], [0.0], [5.0]],
        [[2.0, 3.0, 0.0]],
        np.array([[3.0], [1.0], [0.0]], np.float32) * np.float32(scale),
    )
    assert found == pytest.approx({"watch": 3.0}, rel=1e-6)
