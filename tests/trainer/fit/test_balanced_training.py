"""Training with each way to balance tasks."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from tests.trainer.fixed_order import FixedOrder  # noqa: E402
from trainer.fit.early_stopping import EarlyStopping  # noqa: E402
from trainer.fit.fitting import fit  # noqa: E402
from trainer.fit.multi_task_ranker import MultiTaskRanker  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.network import Network  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

WAYS = ("uncertainty", "dwa", "famo", "stch", "gradnorm", "pcgrad")


def with_a_batch_without_a_row(features):
    masks = features["masks"].copy()
    masks[64:128, 1] = 0.0
    return {**features, "masks": masks}


@dataclasses.dataclass(frozen=True)
class Story:
    """A training, and one that goes on where a kill before the last epoch would have left it.

    Attributes:
        epochs: that both trained, one after the other.
        states: of the balancing at the end of each.
    """

    undisturbed: Network
    resumed: Network
    epochs: list[int]
    states: list[list[np.ndarray]]


@pytest.fixture(scope="module", params=WAYS)
def story(request, layout, tasks, features, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    rates = {"learning_rate": 0.01, "embedding_learning_rate": 0.5}
    chosen = settings("shared_bottom", epochs=6, patience=6, balancing=request.param, **rates)
    saved, epochs, models = EarlyStopping.on_epoch_end, [], []

    def keep_what_a_kill_would_leave(self, epoch, logs=None):
        saved(self, epoch, logs)
        epochs.append(epoch)
        models.append(self.model)
        if len(epochs) == 5:
            shutil.copytree(self.folder, folder / "killed")

    # An epoch that reads the batches ten times takes the steps of ten epochs and validates once.
    rows = with_a_batch_without_a_row(features)
    often, once = FixedOrder(rows, times=10), Examples(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EarlyStopping, "on_epoch_end", keep_what_a_kill_would_leave)
        undisturbed, resumed = (
            fit(
                layout,
                tasks,
                chosen,
                often,
                once,
                checkpoint_folder=folder / name,
            )
            for name in ("undisturbed", "killed")
        )
    states = [
        [variable.numpy() for variable in models[last].balancing.variables] for last in (5, -1)
    ]
    return Story(undisturbed, resumed, epochs, states)


def test_both_tasks_are_learnt_although_a_batch_has_no_row_of_one(story, features):
    logits = story.undisturbed({key: tf.constant(value) for key, value in features.items()})
    assert np.mean((logits["click"].numpy() > 0) == (features["labels"][:, 0] > 0)) > 0.98
    errors = logits["ratio"].numpy() - features["labels"][:, 1]
    assert np.mean(errors[features["masks"][:, 1] > 0] ** 2) < 0.1 * np.var(
        features["labels"][:, 1]
    )


def test_a_killed_run_goes_on_to_the_same_weights(story):
    assert story.epochs == [0, 1, 2, 3, 4, 5, 5]
    weights = (network.get_weights() for network in (story.undisturbed, story.resumed))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert story.states[0]
    for one, other in zip(*story.states, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def one_step(layout, tasks, features, settings, name="ple", **trainer):
    """A network's weights by name and the terms, after one step from always the same weights."""
    tf.keras.utils.set_random_seed(0)
    chosen = settings(name, **trainer)
    network = Network(layout, chosen, name="network")
    batch = {key: tf.constant(values[:64]) for key, values in features.items()}
    network(batch)
    model = MultiTaskRanker(network, tasks, chosen.trainer)
    model.compile_for_training()
    tf.keras.utils.set_random_seed(0)
    terms = tf.function(model.train_step)(batch)
    return network.get_weights(), {name: float(term) for name, term in terms.items()}


@pytest.mark.parametrize("name", ["single_task", "sluice"])
def test_the_tasks_gradients_sum_to_that_of_the_joint_loss(
    name, layout, tasks, features, settings, monkeypatch
):
    # With all factors 1, as GradNorm's in its first step are and PCGrad's without conflicts.
    from trainer.loss.gradient_balancing import PCGrad

    monkeypatch.setattr(PCGrad, "projections", lambda self, products: tf.eye(2))
    expected, expected_terms = one_step(layout, tasks, features, settings, name)
    for way in ("gradnorm", "pcgrad"):
        received, terms = one_step(layout, tasks, features, settings, name, balancing=way)
        assert terms == pytest.approx(expected_terms, rel=1e-4), way
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4, err_msg=way)


def test_the_validation_is_not_balanced(layout, tasks, features, settings):
    examples = Examples(features)
    results = []
    for way, state in (("none", None), ("uncertainty", "log_variances")):
        tf.keras.utils.set_random_seed(0)
        chosen = settings("shared_bottom", balancing=way)
        network = Network(layout, chosen, name="network")
        network(examples.first_rows(2))
        model = MultiTaskRanker(network, tasks, chosen.trainer)
        model.compile_for_training()
        if state:
            getattr(model.balancing, state).assign([2.0, -2.0])
        losses = model.evaluate(examples.in_order(64), return_dict=True, verbose=0)
        results.append((losses, model.validation_metrics()))
    assert results[0][0] == pytest.approx(results[1][0])
    for task in tasks:
        assert results[0][1][task] == pytest.approx(results[1][1][task])
