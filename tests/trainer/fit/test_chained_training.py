"""Trainings of chains: what is learnt, the towers that only training has, and tasks alone."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.loading import parse_spec  # noqa: E402
from trainer.export.saved_model import ExportedRanker, ExportedState  # noqa: E402
from trainer.fit.fitting import fit  # noqa: E402
from trainer.fit.single_tasks import SingleTaskRankers, fit_alone  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.loss.joint_loss import imputed_name  # noqa: E402
from trainer.network.network import Network  # noqa: E402

pytestmark = [pytest.mark.tensorflow]


def chained(layout, tasks, chain):
    buy = tasks["click"].model_copy(update={"given": "click", "chain": chain})
    both = {"click": tasks["click"], "buy": buy}
    imputed = ("buy",) if chain == "escm2_dr" else ()
    return dataclasses.replace(layout, tasks=dict.fromkeys(both, "binary"), imputed=imputed), both


@pytest.fixture(scope="module")
def rows(features):
    """Whoever clicked buys if the candidate's number is positive; of others no one knows."""
    clicks = features["labels"][:, 0]
    bought = (features["candidate_numbers"][:, 0] > 0).astype("f4")
    labels = np.stack([clicks, np.where(clicks == 1, bought, np.nan)], axis=1).astype("f4")
    masks = np.stack([np.ones(256), clicks], axis=1).astype("f4")
    return {**features, "labels": labels, "masks": masks}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chain", "balancing"), [("esmm", "none"), ("escm2_ips", "gradnorm"), ("escm2_dr", "pcgrad")]
)
def test_what_the_clicked_buy_is_learnt(
    chain, balancing, layout, tasks, rows, settings, tmp_path, monkeypatch
):
    if chain != "escm2_dr":  # which holds all that XLA has to compile
        monkeypatch.setattr("trainer.fit.fitting._STEPS_WORTH_COMPILING", 10**9)
    own_layout, own_tasks = chained(layout, tasks, chain)
    run = settings("mmoe", epochs=40, patience=40, learning_rate=0.01, balancing=balancing)
    network = fit(
        own_layout, own_tasks, run, Examples(rows), Examples(rows), checkpoint_folder=tmp_path,
        negative_rates={"click": 0.5},
    )  # fmt: skip
    logits = network({name: tf.constant(values) for name, values in rows.items()})
    assert list(logits) == ["click", "buy"]
    would_buy = rows["candidate_numbers"][:, 0] > 0
    clicked = rows["labels"][:, 0] == 1
    right = (logits["buy"].numpy() > 0) == would_buy
    assert right[clicked].mean() > 0.9


def test_the_imputation_tower_begins_as_the_tower_of_its_task_and_is_not_exported(
    layout, tasks, rows, settings
):
    from trainer.fit.base_rates import begin_at_base_rates

    own_layout, _ = chained(layout, tasks, "escm2_dr")
    network = Network(own_layout, settings("shared_bottom"), name="network")
    network.make_variables(Examples(rows).first_rows(8))
    begin_at_base_rates(network, Examples(rows))
    [imputation] = network.imputations
    assert imputation.logit.bias.numpy() == network.towers[1].logit.bias.numpy()
    batch = {name: tf.constant(values[:8]) for name, values in rows.items()}
    logits = network.logits(network.embed(batch), network.look_up(batch), imputed=True)
    assert list(logits) == ["click", "buy", imputed_name("buy")]
    assert logits["buy"].numpy() == pytest.approx(network(batch)["buy"].numpy())

    ranker = ExportedRanker(_spec(), network, SimpleNamespace())
    exported = {variable.ref() for variable in ExportedState(ranker).network}
    trained = {variable.ref() for variable in network.variables}
    assert trained - exported == {variable.ref() for variable in imputation.variables}


def test_a_task_of_a_chain_alone_is_trained_where_its_condition_holds(
    layout, tasks, rows, settings, monkeypatch, tmp_path
):
    own_layout, own_tasks = chained(layout, tasks, "escm2_dr")
    seen = {}
    monkeypatch.setattr(
        "trainer.fit.single_tasks.fit",
        lambda layout, tasks, settings, train, *_, **__: seen.update(
            imputed=layout.imputed, chain=tasks["buy"].chain, rows=train.columns["masks"].sum()
        ),
    )
    inputs = SimpleNamespace(
        spec=SimpleNamespace(tasks=own_tasks),
        layout=own_layout,
        examples=lambda: (Examples(rows), Examples(rows)),
    )
    fit_alone("buy", inputs, settings("shared_bottom"), checkpoint_folder=tmp_path)
    assert seen == {"imputed": (), "chain": None, "rows": rows["labels"][:, 0].sum()}


class GivenLogit:
    """Stands for a network of one task."""

    def __init__(self, task, logit):
        self.task, self.logit = task, logit

    def __call__(self, _):
        return {self.task: tf.constant([self.logit])}

    @staticmethod
    def scores(logits):
        return {task: tf.sigmoid(logit) for task, logit in logits.items()}


def test_the_joint_probability_of_tasks_alone_is_the_product_of_their_scores():
    spec = _spec()
    networks = {"click": GivenLogit("click", 0.0), "buy": GivenLogit("buy", 0.0)}
    ranker = SingleTaskRankers(spec, networks, lambda fields: fields, {}, lambda scores, _: scores)
    example = tf.train.Example().SerializeToString()
    scores = ranker.score_examples(tf.constant([example]))
    # Half of the negatives were kept: p · r / (1 − p + r · p) of ½ is ⅓.
    assert {name: pytest.approx(values.numpy()[0]) for name, values in scores.items()} == {
        "click": 1 / 3, "buy": 1 / 2, "joint_of_buy": 1 / 6,
    }  # fmt: skip


def _spec():
    return parse_spec("""
name: shop
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
sampling: {negative_rate: 0.5}
fields: {item: {side: item, kind: categorical}}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
  buy: {kind: binary, given: click, chain: escm2_dr, label: {rule: event, column: b}, metric: auc}
ranking_formula: {weights: {joint_of_buy: 1}}
""")
