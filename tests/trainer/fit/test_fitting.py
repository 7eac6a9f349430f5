"""Fitting: it learns, stops by each metric's direction, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.early_stopping import EarlyStopping, relative_error  # noqa: E402
from trainer.fit.fitting import fit  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def batches(features, size=64):
    return tf.data.Dataset.from_tensor_slices(dict(features)).batch(size)


def fitted(features, layout, tasks, settings, folder):
    dataset = batches(features)
    return fit(layout, tasks, settings, dataset, dataset, checkpoint_folder=folder)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_overfits_what_can_be_learnt(name, layout, tasks, features, settings, tmp_path):
    chosen = settings(name, epochs=60, patience=60, learning_rate=0.01, embedding_learning_rate=0.5)
    network = fitted(features, layout, tasks, chosen, tmp_path)
    logits = network({key: tf.constant(value) for key, value in features.items()})
    assert np.mean((logits["click"].numpy() > 0) == (features["labels"][:, 0] > 0)) > 0.98
    valid = features["masks"][:, 1] > 0
    errors = (logits["ratio"].numpy() - features["labels"][:, 1])[valid]
    assert np.mean(errors**2) < 0.1 * np.var(features["labels"][:, 1])


def test_a_killed_run_goes_on_to_the_same_weights(
    layout, tasks, features, settings, tmp_path, monkeypatch
):
    undisturbed = fitted(features, layout, tasks, settings(epochs=4, patience=9), tmp_path / "a")
    saved = EarlyStopping.on_epoch_end

    class KilledError(Exception):
        pass

    def die_after_two_epochs(self, epoch, logs=None):
        saved(self, epoch, logs)
        if epoch == 1:
            raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(EarlyStopping, "on_epoch_end", die_after_two_epochs)
        fitted(features, layout, tasks, settings(epochs=4, patience=9), tmp_path / "b")
    seen = []
    monkeypatch.setattr(
        EarlyStopping,
        "on_epoch_end",
        lambda self, epoch, logs=None: (seen.append(epoch), saved(self, epoch, logs)),
    )
    resumed = fitted(features, layout, tasks, settings(epochs=4, patience=9), tmp_path / "b")
    assert seen == [2, 3]
    for one, other in zip(undisturbed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_best_epochs_weights_are_kept(layout, tasks, features, settings, tmp_path, monkeypatch):
    def after(name, *errors):
        remaining = iter(errors)
        monkeypatch.setattr("trainer.fit.early_stopping.relative_error", lambda *_: next(remaining))
        network = fitted(
            features, layout, tasks, settings(epochs=len(errors), patience=9), tmp_path / name
        )
        return network.get_weights()

    # The second of four epochs is the best one, so what is kept is what two epochs give; three
    # epochs give something else.
    kept, second, third = (
        after("a", 1.0, 0.5, 0.7, 0.8),
        after("b", 1.0, 0.5),
        after("c", 1.0, 0.5, 0.3),
    )
    for one, other in zip(kept, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert not all(
        np.allclose(one, other, atol=1e-6) for one, other in zip(kept, third, strict=True)
    )


def test_auc_counts_upwards_and_squared_error_downwards(tasks):
    first = {"click": 0.6, "ratio": 0.2}
    # Errors: 1 − AUC .4 → .2 halves; MSE .2 → .1 halves.
    assert relative_error(tasks, first, {"click": 0.8, "ratio": 0.1}) == pytest.approx(0.5)
    # A better AUC that costs as much MSE in proportion is no progress.
    assert relative_error(tasks, first, {"click": 0.8, "ratio": 0.3}) == pytest.approx(1.0)


def test_patience_ends_a_run(layout, tasks, features, settings, tmp_path):
    shuffled = dict(features)
    shuffled["labels"] = np.random.default_rng(1).permutation(features["labels"])
    dataset = batches(features)
    stop = settings(epochs=50, patience=2, learning_rate=0.03, embedding_learning_rate=1.0)
    fit(layout, tasks, stop, dataset, batches(shuffled), checkpoint_folder=tmp_path)
    state = tf.train.load_checkpoint(str(tmp_path / "latest"))
    finished = state.get_tensor("finished_epochs/.ATTRIBUTES/VARIABLE_VALUE")
    best = state.get_tensor("best_epoch/.ATTRIBUTES/VARIABLE_VALUE")
    assert finished < 50
    assert finished - best == 2


def test_the_clock_counts_epochs_or_steps(layout, tasks, features, settings, tmp_path):
    for clock, expected in (("epoch", 2), ("step", 12)):
        fitted(
            features,
            layout,
            tasks,
            settings(epochs=3, patience=9, loss_weight_clock=clock),
            tmp_path / clock,
        )
        state = tf.train.load_checkpoint(str(tmp_path / clock / "latest"))
        # The last of 3 epochs is t = 2; 3 epochs of 4 steps are 12.
        assert state.get_tensor("clock/.ATTRIBUTES/VARIABLE_VALUE") == expected


def scalars(folder, tag):
    """The values of a TensorBoard scalar by step."""
    events = [
        event
        for file in folder.rglob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
    ]
    return {
        event.step: float(tf.make_ndarray(value.tensor))
        for event in events
        for value in event.summary.value
        if value.tag == tag
    }


def test_the_share_of_closed_gates_is_logged_each_epoch(
    layout, tasks, features, settings, tmp_path
):
    # Nothing but closing gates pays, and each of Adam's first steps takes log α, which begins near
    # 0, down by 5.
    chosen = settings("mssm", epochs=2, patience=2, coefficient_learning_rate=5.0)
    chosen = chosen.model_copy(update={"model": chosen.model.model_copy(update={"l0": 1e6})})
    dataset = batches(features)
    fit(
        layout,
        tasks,
        chosen,
        dataset,
        dataset,
        checkpoint_folder=tmp_path / "c",
        tensorboard_folder=str(tmp_path / "t"),
    )
    assert scalars(tmp_path / "t", "epoch_closed_share_cssm") == {0: 1.0, 1: 1.0}
