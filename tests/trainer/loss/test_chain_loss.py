"""Losses over the whole space: by hand, beside the papers' equations in NumPy, and in their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")
from feature_spec.tasks.task import Task  # noqa: E402
from trainer.loss.chain_loss import log_joint, whole_space  # noqa: E402
from trainer.loss.joint_loss import JointLoss, imputed_name  # noqa: E402

pytestmark = pytest.mark.tensorflow

CHAINS = ("esmm", "escm2_ips", "escm2_dr")


def task(**changes):
    return Task.model_validate(
        {"kind": "binary", "label": {"rule": "event", "column": "x"}, "metric": "auc"} | changes
    )


def chain_of(chain, **changes):
    return {"click": task(), "buy": task(given="click", chain=chain, **changes)}


def loss_of_buy(tasks, labels, masks, logits, imputed=None, rates=None):
    """The loss of `buy`, and its gradients for the logits by name."""
    layer = JointLoss(tasks, negative_rates=rates)
    tensors = {name: tf.constant(z, tf.float32) for name, z in logits.items()}
    if imputed is not None:
        tensors[imputed_name("buy")] = tf.constant(imputed, tf.float32)
    labels, masks = tf.constant(labels, tf.float32), tf.constant(masks, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = layer.task_losses(labels, tensors, masks, layer.sizes(labels, masks))["buy"]
    gradients = tape.gradient(loss, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(loss), {name: values.numpy() for name, values in gradients.items()}


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-np.asarray(z, np.float64)))


def cross_entropy(labels, p):
    return -labels * np.log(p) - (1.0 - labels) * np.log(1.0 - p)


def by_equation(chain, o, r, p_click, p_buy, guess, weights, joint_weight, floor):
    """The loss as the papers write it, by probabilities; r counts where o is 1."""
    mean = lambda errors: (weights * errors).sum() / weights.sum()  # noqa: E731
    joint = mean(cross_entropy(o * r, p_click * p_buy))
    if chain == "esmm":
        return joint
    propensity = np.maximum(p_click, floor)
    errors = cross_entropy(r, p_buy)
    if chain == "escm2_ips":
        return mean(o * errors / propensity) + joint_weight * joint
    imputed = cross_entropy(guess, p_buy)
    robust = mean(imputed + o * (errors - imputed) / propensity)
    return robust + mean(o * (errors - imputed) ** 2 / propensity) + joint_weight * joint


# Three impressions: not clicked; clicked and not bought; clicked and bought. All logits are 0, so
# that all probabilities are ½, and that of a click with a purchase is ¼.
THREE = {"labels": [[0, 0], [1, 0], [1, 1]], "masks": [[1, 0], [1, 1], [1, 1]]}
EVEN = {"click": [0.0] * 3, "buy": [0.0] * 3}
# −log(1 − ¼) twice and −log ¼ once, over three rows.
JOINT = (2 * math.log(4 / 3) + math.log(4)) / 3


def test_esmm_is_the_cross_entropy_of_the_product_over_all_impressions():
    assert loss_of_buy(chain_of("esmm"), **THREE, logits=EVEN)[0] == pytest.approx(JOINT)


def test_ips_weighs_the_clicked_by_one_over_their_probability_of_a_click():
    # Two clicked rows of log 2 each, divided by ½, over three rows; and the joint loss, weighed 3.
    loss, _ = loss_of_buy(chain_of("escm2_ips", joint_weight=3.0), **THREE, logits=EVEN)
    assert loss == pytest.approx(2 * math.log(2) / 0.5 / 3 + 3 * JOINT)


def test_dr_corrects_what_the_imputation_says_of_all_rows_by_the_clicked_ones():
    # Guesses r̂ of ¼ (logit −log 3). With p = e^2 / (1 + e^2), logit 2, ℓ̂ = log(1 + e^2) − ¼ · 2 on
    # all three rows; ℓ − ℓ̂ = (¼ − r) · 2 is ½ where r is 0, and −1½ where it is 1; p̂ is ½.
    imputed = [-math.log(3.0)] * 3
    logits = {"click": [0.0] * 3, "buy": [2.0] * 3}
    loss, _ = loss_of_buy(
        chain_of("escm2_dr", joint_weight=0.0), **THREE, logits=logits, imputed=imputed
    )
    guessed = math.log(1 + math.e**2) - 0.5
    robust = guessed + (0.5 - 1.5) / 0.5 / 3
    assert loss == pytest.approx(robust + (0.25 + 2.25) / 0.5 / 3, rel=1e-6)


@pytest.mark.parametrize("chain", CHAINS)
def test_losses_are_those_of_the_papers_equations(chain):
    random = np.random.default_rng(1)
    rows = 50
    o, r = random.integers(0, 2, rows), random.integers(0, 2, rows)
    weights = random.uniform(0.5, 2.0, rows)
    # Labels outside of the sample space are not read, whatever they are.
    labels = np.stack([o, np.where(o == 1, r, np.nan)], axis=1)
    masks = np.stack([weights, weights * o], axis=1)
    logits = dict(zip(("click", "buy"), random.normal(size=(2, rows)) * 2.0, strict=True))
    imputed = random.normal(size=rows)
    changes = {"joint_weight": 0.7, "propensity_floor": 0.3} if chain != "esmm" else {}
    loss, gradients = loss_of_buy(chain_of(chain, **changes), labels, masks, logits, imputed)
    expected = by_equation(
        chain, o, np.where(o == 1, r, 0), sigmoid(logits["click"]), sigmoid(logits["buy"]),
        sigmoid(imputed), weights, 0.7, 0.3,
    )  # fmt: skip
    assert loss == pytest.approx(expected, rel=1e-5)
    assert all(np.isfinite(values).all() for values in gradients.values())


@pytest.mark.parametrize("chain", ["escm2_ips", "escm2_dr"])
def test_the_propensity_learns_nothing_from_the_counterfactual_loss(chain):
    tasks = chain_of(chain, joint_weight=0.0)
    _, gradients = loss_of_buy(tasks, **THREE, logits=EVEN, imputed=[0.5] * 3)
    assert gradients["click"].tolist() == [0.0] * 3
    assert (
        np.abs(gradients["buy"]).min() > 0.0 if chain == "escm2_dr" else gradients["buy"][0] == 0.0
    )


def test_the_imputation_learns_from_the_clicked_rows_alone():
    # With p = ½ for all, logits 0, the error is log 2 whatever the label: nothing to impute.
    tasks = chain_of("escm2_dr")
    logits = {"click": [0.0] * 3, "buy": [1.0] * 3}
    _, gradients = loss_of_buy(tasks, **THREE, logits=logits, imputed=[0.0] * 3)
    learnt = gradients[imputed_name("buy")]
    # d/dz of (σ(z) − r)² / p̂ / 3 at z = 0: 2 · (½ − r) · ¼ / ½ / 3.
    assert learnt.tolist() == pytest.approx([0.0, 1 / 6, -1 / 6])


def test_a_rare_click_weighs_no_more_than_the_floor_allows():
    # P(click) of e^-9 would weigh a clicked row 8,104 times; the floor of .05 weighs it 20 times.
    tasks = chain_of("escm2_ips", joint_weight=0.0)
    logits = {"click": [-9.0], "buy": [0.0]}
    loss, _ = loss_of_buy(tasks, [[1, 1]], [[1, 1]], logits)
    assert loss == pytest.approx(20 * math.log(2))


@pytest.mark.parametrize("chain", CHAINS)
def test_kept_negatives_stand_for_those_that_were_dropped(chain):
    """Every fourth of 40 unclicked rows was kept: the loss is that of all, at the logits of all."""
    o = np.array([0] * 10 + [1] * 5)
    r = np.array([0] * 10 + [1, 0, 0, 1, 0])
    random = np.random.default_rng(2)
    logits, imputed = (
        dict(zip(("click", "buy"), random.normal(size=(2, 15)), strict=True)),
        random.normal(size=15),
    )
    whole = np.concatenate([np.repeat(np.arange(10), 4), np.arange(10, 15)])
    tasks = chain_of(chain)

    def loss(rows, shift, rates):
        labels, masks = np.stack([o, r], axis=1)[rows], np.stack([np.ones(15), o], axis=1)[rows]
        of_rows = {"click": logits["click"][rows] + shift, "buy": logits["buy"][rows]}
        return loss_of_buy(tasks, labels, masks, of_rows, imputed[rows], rates)[0]

    # A network that is trained on kept negatives has odds of a click that are four times too high.
    sampled = loss(np.arange(15), math.log(4.0), {"click": 0.25})
    assert sampled == pytest.approx(loss(whole, 0.0, None), rel=1e-5)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_click_whose_purchase_is_not_known_does_not_count(chain):
    unknown = {"labels": [*THREE["labels"], [1, 0]], "masks": [*THREE["masks"], [1, 0]]}
    more = {name: [*values, 5.0] for name, values in EVEN.items()}
    tasks = chain_of(chain)
    expected, _ = loss_of_buy(tasks, **THREE, logits=EVEN, imputed=[1.0] * 3)
    loss, gradients = loss_of_buy(tasks, **unknown, logits=more, imputed=[1.0] * 4)
    assert loss == pytest.approx(expected)
    assert gradients["buy"][3] == gradients["click"][3] == 0.0


@pytest.mark.parametrize("chain", CHAINS)
def test_parts_of_a_batch_add_up_to_its_loss(chain):
    """As the losses of replicas do, each of which divides by the size of the whole batch."""
    layer = JointLoss(chain_of(chain))
    labels, masks = (tf.constant(THREE[name], tf.float32) for name in ("labels", "masks"))
    logits = {
        "click": tf.constant([0.5, -1.0, 2.0]),
        "buy": tf.constant([1.0, 0.0, -2.0]),
        imputed_name("buy"): tf.constant([0.1, 0.2, 0.3]),
    }
    sizes = layer.sizes(labels, masks)

    def loss(rows):
        of_rows = {name: z[rows] for name, z in logits.items()}
        return float(layer.task_losses(labels[rows], of_rows, masks[rows], sizes)["buy"])

    assert loss(slice(0, 2)) + loss(slice(2, 3)) == pytest.approx(loss(slice(0, 3)), rel=1e-6)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_batch_without_an_impression_of_the_chain_costs_nothing(chain):
    loss, gradients = loss_of_buy(
        chain_of(chain), [[0, 0]], [[0, 0]], {"click": [9.0], "buy": [9.0]}, imputed=[1.0]
    )
    assert loss == 0.0
    assert gradients["buy"].tolist() == [0.0]


def test_a_chain_of_three_multiplies_three_probabilities():
    tasks = chain_of("esmm") | {"rate": task(given="buy", chain="esmm")}
    layer = JointLoss(tasks)
    # Not clicked; clicked, not bought; bought, not rated; bought and rated. P is ½ · ½ · ½.
    labels = tf.constant([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    masks = tf.constant([[1.0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])
    logits = {name: tf.zeros(4) for name in tasks}
    losses = layer.task_losses(labels, logits, masks, layer.sizes(labels, masks))
    assert float(losses["rate"]) == pytest.approx((3 * math.log(8 / 7) + math.log(8)) / 4)


@given(st.lists(st.floats(-200, 200), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_log_joint_is_finite_and_right_for_all_logits(logits):
    happened, not_happened = (
        float(values[0]) for values in log_joint([tf.constant([z], tf.float32) for z in logits])
    )
    z = np.asarray(logits, np.float32).astype(np.float64)
    expected = -np.logaddexp(0.0, -z).sum()
    # 1 − Π σ(z_i) = σ(−z_1) + σ(z_1) σ(−z_2) + …, by which no digits are lost.
    before = np.concatenate([[0.0], np.cumsum(-np.logaddexp(0.0, -z))[:-1]])
    missed = np.logaddexp.reduce(before - np.logaddexp(0.0, z))
    assert happened == pytest.approx(expected, rel=1e-5, abs=1e-30)
    assert not_happened == pytest.approx(missed, rel=1e-5, abs=1e-6)


def test_the_metric_is_that_of_the_sample_space():
    tasks = chain_of("esmm", metric="log_loss")
    layer = JointLoss(tasks)
    labels, masks = (
        tf.constant(THREE["labels"], tf.float32),
        tf.constant(THREE["masks"], tf.float32),
    )
    logits = {name: tf.constant(values) for name, values in EVEN.items()}
    layer(labels, logits, masks, layer.sizes(labels, masks), clock=tf.constant(0))
    metric = layer.losses_of["buy"].metric
    assert float(metric.result()) == pytest.approx(math.log(2))
    assert float(metric.evidence()) == 1.0  # a positive and a negative


def test_a_chain_without_its_first_task_is_refused():
    with pytest.raises(ValueError, match="buy: chain esmm needs 'click'; the tasks are buy"):
        JointLoss({"buy": chain_of("esmm")["buy"]})


def test_rows_of_the_whole_space_have_a_condition_and_an_event():
    space = whole_space(
        tf.constant(THREE["labels"], tf.float32), tf.constant(THREE["masks"], tf.float32), [0, 1]
    )
    assert [values.numpy().tolist() for values in space] == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
