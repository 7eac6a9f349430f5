"""Heads in training: what they learn where the mean is known, and how they go with the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.tasks.task import Task  # noqa: E402
from trainer.fit.fitting import fit, validation_metrics  # noqa: E402
from trainer.fit.head_distributions import head_distributions  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.network.network_layout import HeadLayout, NetworkLayout  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

HEADS = {
    "regression": None,
    "ordinal": HeadLayout("ordinal", 20),
    "quantiles": HeadLayout("quantiles", 20),
}
ROWS = 6000


def heavy(seed):
    """Rows with a number x, and seconds exp(x + 1.5 ε), one tenth of them 0 instead.

    Returns:
        The rows, and the mean that x has: .9 · exp(x + 1.125).
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 1)).astype("f4")
    seconds = np.exp(x[:, 0] + 1.5 * random.normal(size=ROWS))
    labels = np.where(random.random(ROWS) < 0.1, 0.0, seconds)[:, None].astype("f4")
    columns = {"candidate_numbers": x, "labels": labels, "masks": np.ones((ROWS, 1), "f4")}
    return Examples(columns), 0.9 * np.exp(x[:, 0].astype("f8") + 1.125)


def trained_on_seconds(head, folder, seed=1):
    layout = NetworkLayout(
        table_rows={},
        slots={"request": (), "candidate": ()},
        numbers={"request": 0, "candidate": 1},
        tasks={"watch": "regression"},
        heads={} if head is None else {"watch": head},
    )
    task = Task.model_validate(
        {"kind": "regression", "label": {"rule": "column", "column": "r"}, "metric": "mse"}
    )
    settings = parse_settings(
        {"name": "shared_bottom", "bottom_units": [16], "tower_units": [8]},
        {"batch_size": 100, "epochs": 12, "patience": 3, "learning_rate": 0.01, "seed": seed},
    )
    train, _ = heavy(seed)
    validation, _ = heavy(seed + 100)
    network = fit(layout, {"watch": task}, settings, train, validation, checkpoint_folder=folder)
    return network, settings, {"watch": task}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A regression and two heads, trained on the same rows, with their settings and tasks."""
    folder = tmp_path_factory.mktemp("heads")
    return {name: trained_on_seconds(head, folder / name) for name, head in HEADS.items()}


def scores_of(network, examples):
    batch = {name: tf.constant(values) for name, values in examples.columns.items()}
    return network.scores(network(batch))["watch"].numpy()


def test_heads_learn_the_mean_of_a_heavy_tail_in_which_squared_errors_get_lost(trained):
    judged, means = heavy(201)
    distances = {
        name: np.mean(np.abs(scores_of(network, judged) / means - 1.0))
        for name, (network, _, _) in trained.items()
    }
    # Two seeds gave .40 and .35 for the regression, .07 to .18 for the heads.
    assert max(distances["ordinal"], distances["quantiles"]) < 0.7 * distances["regression"]


@pytest.mark.parametrize("kind", ["ordinal", "quantiles"])
def test_what_a_head_predicts_is_shown_beside_what_was_seen(kind, trained):
    network, settings, tasks = trained[kind]
    judged, _ = heavy(300)
    [shown] = head_distributions(network, judged)
    assert (shown.task, shown.head, shown.examples) == ("watch", kind, ROWS)
    labels = judged.columns["labels"][:, 0]
    assert shown.mean_label == pytest.approx(labels.mean())
    # The metric that stops a training is the squared error of the mean that is served.
    [mse] = validation_metrics(network, tasks, settings.trainer, judged).values()
    scores = scores_of(network, judged)
    assert shown.mean_score == pytest.approx(scores.mean(), rel=1e-5)
    assert mse == pytest.approx(np.mean((scores - labels) ** 2), rel=1e-5)
    assert shown.least <= scores.min()
    assert scores.max() <= shown.largest
    seen = np.array([(point.place, point.predicted, point.observed) for point in shown.points])
    # One tenth of the labels is 0: quantiles below that level are at or above all of them.
    expected = seen[:, 1] if kind == "ordinal" else np.maximum(seen[:, 0], 0.1)
    np.testing.assert_allclose(seen[:, 2], expected, atol=0.07)


def test_validating_leaves_the_examples_as_they_are(trained):
    # TensorFlow once wrote over the last batch of a single task's labels, in one of three arrays.
    network, settings, tasks = trained["regression"]
    judged, _ = heavy(101)
    for _ in range(3):
        columns = {name: values.copy() for name, values in judged.columns.items()}
        validation_metrics(network, tasks, settings.trainer, Examples(columns))
        for name, values in judged.columns.items():
            np.testing.assert_array_equal(columns[name], values)


def test_a_head_trains_beside_other_tasks_under_every_method_that_balances(
    layout, tasks, features, settings, tmp_path
):
    headed = dataclasses.replace(layout, heads={"ratio": HeadLayout("quantiles", 5)})
    ratio = tasks["ratio"].model_copy(update={"head": "quantiles", "levels": 5})
    examples = Examples(features)
    for method in ("uncertainty", "gradnorm"):
        chosen = settings("mmoe", epochs=1, balancing=method)
        network = fit(
            headed,
            {**tasks, "ratio": ratio},
            chosen,
            examples,
            examples,
            checkpoint_folder=tmp_path / method,
        )
        scores = network.scores(network({name: tf.constant(x) for name, x in features.items()}))
        assert scores["ratio"].shape == scores["click"].shape == [256]
        assert np.isfinite(scores["ratio"].numpy()).all()
