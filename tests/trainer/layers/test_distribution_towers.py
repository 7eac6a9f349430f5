"""Heads that predict how a label is distributed: worked by hand, by NumPy, and what always holds."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.distribution_towers import Labels, OrdinalTower, QuantileTower  # noqa: E402

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(3)
# A heavy tail with many zeros, as watch time has.
HEAVY = np.sort(np.where(RNG.random(4000) < 0.2, 0.0, np.exp(1.5 * RNG.normal(size=4000))))
TOWERS = {
    "ordinal": lambda: OrdinalTower([4], points=12, name="tower"),
    "quantiles": lambda: QuantileTower([4], points=12, name="tower"),
}


def built(tower, values, weights=None, inputs=3):
    values = np.sort(np.asarray(values, np.float64))
    tower(tf.zeros([1, inputs]))
    tower.learn(Labels(values, np.ones(len(values)) if weights is None else np.array(weights)))
    return tower


def ordinal(cuts, values, weights=None):
    return built(OrdinalTower([], points=len(cuts) - 1, cuts=cuts), values, weights)


def test_the_mean_is_the_first_cut_and_steps_by_their_probabilities():
    # Of 1, 1, 3 and 9, all are above 0 and their means below 2 are (1 + 1 + 2 + 2) / 4 = 1.5; 3 and
    # 9 are above 2, by 1 and, as the last cut is 6, by 4: 2.5.
    tower = ordinal([0, 2, 6], [1, 1, 3, 9])
    assert tower.steps.numpy().tolist() == [1.5, 2.5]
    # σ(log 3) = 3/4 and σ(0) = 1/2: 0 + 1.5 · .75 + 2.5 · .5 = 2.375.
    outputs = tf.constant([[np.log(3.0), 0.0], [50.0, 50.0], [-50.0, -50.0]], tf.float32)
    assert tower.expected(outputs).numpy().tolist() == pytest.approx([2.375, 4.0, 0.0])


def test_a_row_of_weight_two_is_two_rows():
    twice, weighed = ordinal([0, 2, 6], [1, 1, 3]), ordinal([0, 2, 6], [1, 3], [2.0, 1.0])
    for one, other in zip(twice.weights, weighed.weights, strict=True):
        if one.shape != [3, 2]:
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_the_loss_of_cuts_is_the_mean_cross_entropy_of_being_above():
    tower = ordinal([0, 2, 6], [1, 1, 3, 9])
    # 2 is above 0 and not above 2: −log(3/4) and −log(1/2).
    loss = tower.losses(tf.constant([2.0]), tf.constant([[np.log(3.0), 0.0]], tf.float32))
    assert loss.numpy().tolist() == pytest.approx([(np.log(4 / 3) + np.log(2)) / 2])


def test_cuts_are_the_least_label_even_quantiles_of_those_above_it_and_the_largest():
    # Above 0 lie 1 … 8: one quarter, half and three quarters of them are below 2.5, 4.5 and 6.5.
    tower = built(OrdinalTower([], points=4), [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    assert tower.cuts.numpy().tolist() == pytest.approx([0, 2.5, 4.5, 6.5, 8])


def test_cuts_that_are_alike_count_once():
    # Nine of ten are 5: the cuts are 0, then 5 three times over.
    tower = built(OrdinalTower([], points=3), [0] + [5] * 9)
    assert tower.cuts.numpy().tolist() == [0, 5, 5, 5]
    outputs = tf.constant([[np.log(3.0), -1.0, -9.0]], tf.float32)
    assert tower.losses(tf.constant([5.0]), outputs).numpy() == pytest.approx([np.log(4 / 3)])
    assert tower.expected(outputs).numpy() == pytest.approx([3.75])


def test_quantiles_rise_by_softplus_in_units_of_all_labels_distances():
    tower = built(QuantileTower([], points=3), np.arange(1.0, 8.0), inputs=1)
    # The middles of 7 labels are at (i + 1/2) / 7: a quarter is at 1 + 1.25, then 4 and 5.75.
    assert float(tower.first) == 2.25
    assert tower.distances.numpy().tolist() == pytest.approx([1.75] * 3)
    tower.logit.kernel.assign([[1.0, np.log(3.0), -99.0]])
    # 2.25 + 1 · 1.75; then log(1 + 3) / log 2 = 2 distances more; then none.
    assert tower(tf.ones([1, 1])).numpy().tolist() == [pytest.approx([4.0, 7.5, 7.5])]


def test_the_mean_is_the_area_under_the_quantiles():
    tower = QuantileTower([], points=3)
    tower.least.assign(0.0)
    tower.largest.assign(20.0)
    tower.tail.assign(3.0)
    outputs = tf.constant([[1.0, 2.0, 4.0], [30.0, 31.0, 32.0], [-9.0, -8.0, -7.0]])
    # The ends are 0 and 3 · 4: (0/2 + 1 + 2 + 4 + 12/2) / 4 = 3.25. The others are cut off.
    assert tower.expected(outputs).numpy().tolist() == pytest.approx([3.25, 20.0, 0.0])


def test_the_loss_of_quantiles_is_the_pinball_loss():
    tower = QuantileTower([], points=3)
    tower.loss_unit.assign(2.0)
    # u = 3 − (1, 2, 4) = 2, 1, −1 at levels 1/4, 1/2, 3/4: .5 + .5 + .25 = 1.25, a third, half.
    loss = tower.losses(tf.constant([3.0]), tf.constant([[1.0, 2.0, 4.0]]))
    assert loss.numpy() == pytest.approx([1.25 / 6])


@pytest.mark.parametrize("kind", TOWERS)
@pytest.mark.parametrize("weights", [None, RNG.uniform(0.2, 3.0, 4000)])
def test_a_head_that_knows_nothing_gives_the_mean_of_all_labels(kind, weights):
    tower = built(TOWERS[kind](), HEAVY, weights)
    # The mean of a heavy tail, although half of the labels are below a third of it.
    mean = np.average(HEAVY, weights=weights)
    assert tower.expected(tower(tf.zeros([1, 3]))).numpy() == pytest.approx([mean], rel=2e-3)


@pytest.mark.parametrize("kind", TOWERS)
@pytest.mark.parametrize(("points", "within"), [(2, 0.1), (20, 0.1), (200, 0.35)])
def test_a_head_begins_near_the_mean_although_nearly_all_labels_are_zeros(kind, points, within):
    # 2 % of 1,000 labels lie above 0: all 20 quantiles are 0, and most of 200 cuts have the same
    # share of labels above them.
    values = np.concatenate([np.zeros(980), np.linspace(1.0, 50.0, 20)])
    classes = {"ordinal": OrdinalTower, "quantiles": QuantileTower}
    tower = built(classes[kind]([4], points=points), values)
    start = tower.expected(tower(tf.zeros([1, 3]))).numpy()
    assert start == pytest.approx([values.mean()], rel=within)


def test_whole_steps_would_be_far_too_much_for_a_heavy_tail():
    tower = built(TOWERS["ordinal"](), HEAVY)
    shares = tf.sigmoid(tower(tf.zeros([1, 3]))).numpy()[0]
    cuts = tower.cuts.numpy()
    assert cuts[0] + shares @ np.diff(cuts) > 2.0 * HEAVY.mean()


@pytest.mark.parametrize("kind", TOWERS)
@pytest.mark.parametrize("values", [HEAVY, [7.0] * 5, [0.0, 1e6], [-3.0, -1.0, 2.0]])
def test_whatever_the_weights_scores_stay_in_range_and_nothing_crosses(kind, values):
    tower = built(TOWERS[kind](), values)
    x = tf.constant(RNG.normal(scale=30.0, size=[200, 3]), tf.float32)
    outputs = tower(x)
    steps = np.diff(outputs.numpy(), axis=1)
    assert np.all(steps <= 0.0 if kind == "ordinal" else steps >= 0.0)
    scores = tower.expected(outputs).numpy()
    assert np.isfinite(tower.losses(tf.constant(np.resize(values, 200), tf.float32), outputs)).all()
    low, high = np.float32(min(values)), np.float32(max(values))
    assert scores.min() >= low
    assert scores.max() <= high


def test_a_second_implementation_gives_the_same():
    x = RNG.normal(size=[6, 3]).astype("f4")
    labels = RNG.choice(HEAVY, 6).astype("f4")

    def softplus(z):
        return np.log1p(np.exp(-abs(z))) + np.maximum(z, 0.0)

    for kind, make in TOWERS.items():
        tower = built(make(), HEAVY)
        kernel, bias = (weight.numpy().astype("f8") for weight in tower.hidden[0].weights)
        out_kernel, out_bias = (weight.numpy().astype("f8") for weight in tower.logit.weights)
        z = np.maximum(x @ kernel + bias, 0.0) @ out_kernel + out_bias
        outputs, scores, losses = [], [], []
        for row, label in zip(z, labels, strict=True):
            if kind == "ordinal":
                cuts, steps = tower.cuts.numpy().astype("f8"), tower.steps.numpy().astype("f8")
                logits = [row[0] - softplus(row[1 : k + 1]).sum() for k in range(12)]
                rates = 1.0 / (1.0 + np.exp(-np.array(logits)))
                scores.append(cuts[0] + sum(rates * steps))
                above = label > cuts[:-1]
                losses.append(-np.mean(np.log(np.where(above, rates, 1.0 - rates))))
                outputs.append(logits)
                continue
            quantiles = [float(tower.first) + row[0] * float(tower.distances[0])]
            for k in range(1, 12):
                rise = float(tower.distances[k]) * softplus(row[k]) / np.log(2.0)
                quantiles.append(quantiles[-1] + rise)
            least, largest = float(tower.least), float(tower.largest)
            top = least + float(tower.tail) * (quantiles[-1] - least)
            area = np.trapezoid([least, *quantiles, top], dx=1 / 13)
            scores.append(min(max(area, least), largest))
            pinball = [
                max(k / 13 * (label - q), (k / 13 - 1) * (label - q))
                for k, q in enumerate(quantiles, start=1)
            ]
            losses.append(np.mean(pinball) / float(tower.loss_unit))
            outputs.append(quantiles)
        found = tower(x)
        np.testing.assert_allclose(found, outputs, rtol=2e-4, atol=1e-4)
        np.testing.assert_allclose(tower.expected(found), scores, rtol=2e-4)
        np.testing.assert_allclose(tower.losses(tf.constant(labels), found), losses, rtol=2e-4)


@pytest.mark.parametrize("kind", TOWERS)
def test_a_head_is_made_again_from_its_settings_and_weights(kind):
    tower = built(TOWERS[kind](), HEAVY)
    again = type(tower).from_config(tower.get_config())
    x = tf.constant(RNG.normal(size=[4, 3]), tf.float32)
    again(x)
    again.set_weights(tower.get_weights())
    np.testing.assert_array_equal(again.expected(again(x)), tower.expected(tower(x)))
