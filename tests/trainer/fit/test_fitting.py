"""Fitting: it learns, stops by each metric's direction, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import shutil
import tempfile

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.early_stopping import EarlyStopping  # noqa: E402
from trainer.fit.fitting import fit, validation_metrics  # noqa: E402
from trainer.fit.multi_task_ranker import MultiTaskRanker  # noqa: E402
from trainer.fit.validation_objectives import relative_error  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def batches(features, size=64):
    return tf.data.Dataset.from_tensor_slices(dict(features)).batch(size)


def fitted(features, layout, tasks, settings, folder):
    dataset = batches(features)
    return fit(layout, tasks, settings, dataset, dataset, checkpoint_folder=folder)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_overfits_what_can_be_learnt(name, layout, tasks, features, settings, tmp_path):
    chosen = settings(name, epochs=6, patience=6, learning_rate=0.01, embedding_learning_rate=0.5)
    # An epoch that reads the batches ten times takes the steps of ten epochs and validates once.
    dataset = batches(features)
    network = fit(layout, tasks, chosen, dataset.repeat(10), dataset, checkpoint_folder=tmp_path)
    logits = network({key: tf.constant(value) for key, value in features.items()})
    assert np.mean((logits["click"].numpy() > 0) == (features["labels"][:, 0] > 0)) > 0.98
    valid = features["masks"][:, 1] > 0
    errors = (logits["ratio"].numpy() - features["labels"][:, 1])[valid]
    assert np.mean(errors**2) < 0.1 * np.var(features["labels"][:, 1])


def test_a_killed_run_goes_on_to_the_same_weights(
    layout, tasks, features, settings, tmp_path, monkeypatch
):
    chosen = settings("shared_bottom", epochs=4, patience=9)
    saved, seen = EarlyStopping.on_epoch_end, []

    def keep_what_a_kill_would_leave(self, epoch, logs=None):
        saved(self, epoch, logs)
        seen.append(epoch)
        if self.folder == tmp_path / "undisturbed" and epoch == 1:
            shutil.copytree(self.folder, tmp_path / "killed")

    monkeypatch.setattr(EarlyStopping, "on_epoch_end", keep_what_a_kill_would_leave)
    undisturbed = fitted(features, layout, tasks, chosen, tmp_path / "undisturbed")
    resumed = fitted(features, layout, tasks, chosen, tmp_path / "killed")
    assert seen == [0, 1, 2, 3, 2, 3]
    for one, other in zip(undisturbed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_best_epochs_weights_are_kept(layout, tasks, features, settings, tmp_path, monkeypatch):
    errors = iter([1.0, 0.5, 0.7, 0.8])
    monkeypatch.setattr("trainer.fit.early_stopping.relative_error", lambda *_: next(errors))
    saved, weights = EarlyStopping.on_epoch_end, []

    def watch(self, epoch, logs=None):
        weights.append(self.model.network.get_weights())
        saved(self, epoch, logs)

    monkeypatch.setattr(EarlyStopping, "on_epoch_end", watch)
    chosen = settings("shared_bottom", epochs=4, patience=9)
    kept = fitted(features, layout, tasks, chosen, tmp_path).get_weights()
    # The second of four epochs is the best one, and each of the others has given something else.
    same = [all(map(np.array_equal, kept, after)) for after in weights]
    assert same == [False, True, False, False]


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
    stop = settings(
        "shared_bottom", epochs=50, patience=2, learning_rate=0.03, embedding_learning_rate=1.0
    )
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
            settings("shared_bottom", epochs=3, patience=9, loss_weight_clock=clock),
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


def test_a_validation_alone_makes_no_slots(layout, tasks, features, settings, monkeypatch):
    chosen, dataset = settings("shared_bottom").trainer, batches(features)
    network = Network(layout, settings("shared_bottom"), name="network")
    network(next(iter(dataset)))
    model = MultiTaskRanker(network, tasks, chosen)
    model.compile_for_training()
    model.evaluate(dataset, verbose=0)
    slots = []
    monkeypatch.setattr(
        tf.keras.optimizers.legacy.Optimizer,
        "add_slot",
        lambda self, variable, name, *_, **__: slots.append((variable.name, name)),
    )
    assert validation_metrics(network, tasks, chosen, dataset) == model.validation_metrics()
    assert slots == []


@pytest.mark.parametrize("way", ["none", "gradnorm"])
def test_a_step_is_traced_once(way, layout, tasks, features, settings, tmp_path, monkeypatch):
    step, traces = MultiTaskRanker.train_step, []

    def counted(self, inputs):
        traces.append(inputs)
        return step(self, inputs)

    monkeypatch.setattr(MultiTaskRanker, "train_step", counted)
    fitted(features, layout, tasks, settings("shared_bottom", epochs=2, balancing=way), tmp_path)
    assert len(traces) == 1


def test_a_worker_makes_one_folder_for_checkpoints_that_do_not_count(
    layout, tasks, features, settings, tmp_path, monkeypatch
):
    monkeypatch.setattr("trainer.fit.early_stopping.is_chief", lambda _: False)
    make, made = tempfile.TemporaryDirectory, []

    def recorded(**arguments):
        made.append(make(dir=tmp_path, **arguments))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryDirectory", recorded)
    dataset, chosen = batches(features), settings("shared_bottom")
    network = Network(layout, chosen, name="network")
    network(next(iter(dataset)))
    model = MultiTaskRanker(network, tasks, chosen.trainer)
    model.compile_for_training()
    stopping = EarlyStopping(tasks, dataset, 1, tmp_path / "shared")
    for _ in range(2):  # by `fit` before a resume, and by Keras
        stopping.set_model(model)
    for folder in made:
        folder.cleanup()
    assert len(made) == 1
