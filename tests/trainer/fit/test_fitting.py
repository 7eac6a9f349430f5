"""Fitting: it learns, stops by each metric's direction, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.artifacts.training_ending import ENDING_FILE, TrainingEnding  # noqa: E402
from trainer.fit.early_stopping import EarlyStopping  # noqa: E402
from trainer.fit.fitting import fit, validation_metrics  # noqa: E402
from trainer.fit.multi_task_ranker import MultiTaskRanker  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def fitted(features, layout, tasks, settings, folder):
    examples = Examples(features)
    return fit(layout, tasks, settings, examples, examples, checkpoint_folder=folder)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_overfits_what_can_be_learnt(name, layout, tasks, features, settings, tmp_path):
    chosen = settings(name, epochs=6, patience=6, learning_rate=0.01, embedding_learning_rate=0.5)
    # An epoch over ten times the rows takes the steps of ten epochs and validates once.
    often = Examples({name: np.tile(values, (10, 1)) for name, values in features.items()})
    network = fit(layout, tasks, chosen, often, Examples(features), checkpoint_folder=tmp_path)
    logits = network({key: tf.constant(value) for key, value in features.items()})
    assert np.mean((logits["click"].numpy() > 0) == (features["labels"][:, 0] > 0)) > 0.98
    valid = features["masks"][:, 1] > 0
    errors = (logits["ratio"].numpy() - features["labels"][:, 1])[valid]
    assert np.mean(errors**2) < 0.1 * np.var(features["labels"][:, 1])


def with_noise(settings, name):
    """Make settings of a training in which everything that draws does, and weights are averaged."""
    chosen = settings(name, epochs=3, patience=9, checkpoint_minutes=1e-9, average_steps=3)
    return chosen.model_copy(
        update={"model": chosen.model.model_copy(update={"dropout_rate": 0.3})}
    )


@pytest.mark.parametrize("name", ["mssm", "ple"])
def test_one_seed_gives_one_model_however_often_its_training_is_killed(
    name, layout, tasks, features, settings, tmp_path, monkeypatch
):
    # Two steps a call of the graph: a checkpoint in the middle of each epoch of 4 steps.
    monkeypatch.setattr("trainer.fit.multi_task_ranker.STEPS_PER_EXECUTION", 2)
    chosen = with_noise(settings, name)
    undisturbed = fitted(features, layout, tasks, chosen, tmp_path / "undisturbed")

    class KilledError(Exception):
        pass

    saved, steps, kills = EarlyStopping._save, [], [2, 8]

    def kill(self):
        saved(self)
        steps.append(self.model.steps_taken)
        if kills and steps[-1] == kills[0]:
            del kills[0]
            raise KilledError

    monkeypatch.setattr(EarlyStopping, "_save", kill)
    for _ in range(2):
        with pytest.raises(KilledError):
            fitted(features, layout, tasks, chosen, tmp_path / "killed")
        # What runs between two trainings draws numbers, too.
        tf.random.uniform([3])
    resumed = fitted(features, layout, tasks, chosen, tmp_path / "killed")
    # The run after a kill within an epoch takes the rest of its steps; that after the second epoch
    # begins with the third.
    assert steps == [2, 4, 6, 8, 10, 12]
    for one, other in zip(undisturbed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_averages_of_weights_are_validated_and_kept_while_the_training_goes_on_without_them(
    layout, tasks, features, settings, tmp_path
):
    def weights(folder, **changes):
        return fitted(
            features,
            layout,
            tasks,
            settings("shared_bottom", epochs=1, **changes),
            tmp_path / folder,
        ).get_weights()

    # After so many steps that the first weights, those after the only epoch, are the average.
    whole = weights("whole", average_steps=1_000_000)
    plain = weights("plain")
    for one, other in zip(plain, whole, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["cgc", "ple"])
def test_a_short_training_without_xla_gives_the_model_of_one_with_it(
    name, layout, tasks, features, settings, tmp_path, monkeypatch
):
    chosen = settings(name, epochs=3, patience=9)
    compiled = fitted(features, layout, tasks, chosen, tmp_path / "compiled")
    monkeypatch.setattr("trainer.fit.fitting._STEPS_WORTH_COMPILING", 13)  # 3 epochs of 4 steps
    made = []
    init = MultiTaskRanker.__init__
    monkeypatch.setattr(
        MultiTaskRanker,
        "__init__",
        lambda self, *args, **given: made.append(given) or init(self, *args, **given),
    )
    plain = fitted(features, layout, tasks, chosen, tmp_path / "plain")
    assert [given["compiled"] for given in made] == [False]
    for one, other in zip(compiled.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_another_seed_gives_another_model(layout, tasks, features, settings, tmp_path):
    weights = [
        fitted(
            features,
            layout,
            tasks,
            settings("shared_bottom", epochs=1, seed=seed),
            tmp_path / str(seed),
        ).get_weights()
        for seed in (1, 2)
    ]
    # The tables come first.
    assert not np.array_equal(weights[0][0], weights[1][0])


def test_fewer_rows_than_a_batch_are_one_smaller_batch(
    layout, tasks, features, settings, tmp_path, caplog
):
    few = {name: values[:40] for name, values in features.items()}
    with caplog.at_level("WARNING", logger="fulcrum.trainer"):
        fitted(few, layout, tasks, settings("shared_bottom", epochs=2), tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        "there are only 40 examples to train on: a step takes 40 in place of trainer.batch_size, 64"
    ]
    state = tf.train.load_checkpoint(str(tmp_path / "latest"))
    assert state.get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE") == 2


def test_without_an_example_there_is_no_training(layout, tasks, features, settings, tmp_path):
    none = {name: values[:0] for name, values in features.items()}
    with pytest.raises(ValueError, match="there are 0 examples to train on"):
        fitted(none, layout, tasks, settings("shared_bottom"), tmp_path)


def test_without_an_example_to_validate_with_there_is_no_training(
    layout, tasks, features, settings, tmp_path
):
    none = Examples({name: values[:0] for name, values in features.items()})
    chosen, train = settings("shared_bottom"), Examples(features)
    with pytest.raises(ValueError, match="there are 0 examples to validate with"):
        fit(layout, tasks, chosen, train, none, checkpoint_folder=tmp_path)


def test_a_task_with_few_positives_is_named_and_shown_as_a_dash(
    layout, tasks, features, settings, tmp_path, caplog
):
    labels = features["labels"].copy()
    labels[:, 0] = 0.0
    train, validation = Examples(features), Examples({**features, "labels": labels})
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        fit(
            layout,
            tasks,
            settings("shared_bottom", epochs=1),
            train,
            validation,
            checkpoint_folder=tmp_path,
        )
    assert "no vote on when to stop: click: too few to tell (0 of the rarer label)" in caplog.text
    assert "click auc –, ratio mse 0." in caplog.text


def test_the_curves_stand_beside_how_the_training_ended(
    layout, tasks, features, settings, tmp_path
):
    labels = features["labels"].copy()
    labels[:, 0] = 0.0
    fit(
        layout,
        tasks,
        settings("shared_bottom", epochs=2, patience=5),
        Examples(features),
        Examples({**features, "labels": labels}),
        checkpoint_folder=tmp_path / "checkpoints",
        tensorboard_folder=str(tmp_path / "curves"),
    )
    text = (tmp_path / "curves" / ENDING_FILE).read_text()
    ending = TrainingEnding.model_validate_json(text)
    assert (ending.epochs, ending.stopped_by, ending.patience) == (2, "epochs", 5)
    assert ending.best_epoch in (1, 2)
    assert ending.silent == {"click": "too few to tell (0 of the rarer label)"}


@pytest.mark.parametrize("limit", [1e-3, None])
def test_gradients_are_scaled_to_the_largest_norm(
    limit, layout, tasks, features, settings, tmp_path
):
    chosen = settings("shared_bottom", gradient_clip_norm=limit).trainer
    network = Network(layout, settings("shared_bottom"), name="network")
    network(Examples(features).first_rows(2))
    model = MultiTaskRanker(network, tasks, chosen)
    gradients = [tf.constant([3.0, 0.0]), tf.IndexedSlices(tf.constant([[4.0]]), [0], [9, 1])]
    clipped = model._clipped(gradients, tf.constant(1.0))
    norm = float(tf.linalg.global_norm(clipped))
    assert norm == pytest.approx(5.0 if limit is None else limit)
    assert bool(model.finite)
    broken = model._clipped([tf.constant([np.inf]), gradients[1]], tf.constant(1.0))
    # The gradients of others stay numbers.
    assert float(broken[1].values[0, 0]) == 4.0
    assert not bool(model.finite)


def test_the_best_epochs_weights_are_kept(layout, tasks, features, settings, tmp_path, monkeypatch):
    errors = iter([1.0, 0.5, 0.7, 0.8])
    monkeypatch.setattr("trainer.fit.early_stopping.weighed_change", lambda *_: next(errors))
    saved, weights = EarlyStopping.on_epoch_end, []

    def watch(self, epoch, logs=None):
        weights.append(self.model.network.get_weights())
        saved(self, epoch, logs)

    monkeypatch.setattr(EarlyStopping, "on_epoch_end", watch)
    chosen = settings("shared_bottom", epochs=4, patience=9)
    examples, steps = Examples(features), []
    network = fit(
        layout,
        tasks,
        chosen,
        examples,
        examples,
        checkpoint_folder=tmp_path,
        end=lambda _, optimizer: steps.extend(int(one.iterations) for one in optimizer.optimizers),
    )
    kept = network.get_weights()
    # The second of four epochs is the best one, and each of the others has given something else.
    same = [all(map(np.array_equal, kept, after)) for after in weights]
    assert same == [False, True, False, False]
    # So is what the optimizers kept after two epochs of four steps.
    assert steps == [8, 8]


def test_patience_ends_a_run(layout, tasks, features, settings, tmp_path):
    shuffled = dict(features)
    shuffled["labels"] = np.random.default_rng(1).permutation(features["labels"])
    stop = settings(
        "shared_bottom", epochs=50, patience=2, learning_rate=0.03, embedding_learning_rate=1.0
    )
    train, validation = Examples(features), Examples(shuffled)
    fit(layout, tasks, stop, train, validation, checkpoint_folder=tmp_path)
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
    # 2, down by 5.
    chosen = settings("mssm", epochs=2, patience=2, coefficient_learning_rate=5.0)
    chosen = chosen.model_copy(update={"model": chosen.model.model_copy(update={"l0": 1e6})})
    examples = Examples(features)
    fit(
        layout,
        tasks,
        chosen,
        examples,
        examples,
        checkpoint_folder=tmp_path / "c",
        tensorboard_folder=str(tmp_path / "t"),
    )
    assert scalars(tmp_path / "t", "epoch_closed_share_cssm") == {0: 1.0, 1: 1.0}


def test_a_validation_alone_makes_no_slots(layout, tasks, features, settings, monkeypatch):
    chosen, examples = settings("shared_bottom").trainer, Examples(features)
    network = Network(layout, settings("shared_bottom"), name="network")
    network(examples.first_rows(2))
    model = MultiTaskRanker(network, tasks, chosen)
    model.compile_for_training()
    model.evaluate(examples.in_order(64), verbose=0)
    slots = []
    monkeypatch.setattr(
        tf.keras.optimizers.legacy.Optimizer,
        "add_slot",
        lambda self, variable, name, *_, **__: slots.append((variable.name, name)),
    )
    expected = {name: one.value for name, one in model.validation_metrics().items()}
    assert validation_metrics(network, tasks, chosen, examples) == pytest.approx(expected)
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
    examples, chosen = Examples(features), settings("shared_bottom")
    network = Network(layout, chosen, name="network")
    network(examples.first_rows(2))
    model = MultiTaskRanker(network, tasks, chosen.trainer)
    model.compile_for_training()
    stopping = EarlyStopping(
        tasks, examples.in_order(64), chosen.trainer, tmp_path / "shared", steps_per_epoch=4
    )
    for _ in range(2):  # by `fit` before a resume, and by Keras
        stopping.set_model(model)
    for folder in made:
        folder.cleanup()
    assert len(made) == 1
