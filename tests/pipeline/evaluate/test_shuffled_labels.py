"""A model trained with the labels of one task shuffled is refused for that task; one that is worse within noise is blessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score, roc_auc_score

from feature_spec.loading import parse_spec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = parse_spec("""
name: linear
keys: {user: u}
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.5, tolerance: 0.001}
  share: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.4, tolerance: 0.001}
ranking_formula: {weights: {click: 1}}
evaluation: {ndcg: {k: 5, by: user, relevance: {click: 1, share: 3}}}
""")
TRUE_WEIGHTS = {"click": [1.0, -0.5, 0.0, 0.5], "share": [0.0, 1.0, 1.0, -0.5]}
USERS = 60


def sample(count: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Examples (N, 4), and labels (N,) by task that follow the true weights by chance."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4))
    return x, {
        task: (random.random(count) < 1.0 / (1.0 + np.exp(-x @ weights))).astype(np.float64)
        for task, weights in TRUE_WEIGHTS.items()
    }


def trained(x: np.ndarray, labels: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {
        task: LogisticRegression(fit_intercept=False).fit(x, of_task).coef_[0].tolist()
        for task, of_task in labels.items()
    }


X, LABELS = sample(3000, seed=1)


@pytest.fixture(scope="module")
def evaluated() -> Any:
    from tests.pipeline.evaluate import evaluated  # not sooner: it imports TFX

    return evaluated


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, evaluated: Any) -> Path:
    """The examples that judge, and the model that serves: `blessed`."""
    folder = tmp_path_factory.mktemp("linear")
    rows = [
        {
            "x": X[row].tolist(), "user_key": f"user {row % USERS}",
            **{f"label_of_{task}": float(LABELS[task][row]) for task in SPEC.tasks},
            **{f"mask_of_{task}": 1.0 for task in SPEC.tasks},
        }
        for row in range(len(X))
    ]  # fmt: skip
    evaluated.write_examples(folder / "examples", rows)
    evaluated.write_linear_model(folder / "blessed", trained(*sample(3000, seed=2)))
    return folder


@pytest.fixture(scope="module")
def shuffled(evaluated: Any, folder: Path) -> Any:
    x, labels = sample(3000, seed=2)
    labels["share"] = np.random.default_rng(3).permutation(labels["share"])
    model = evaluated.write_linear_model(folder / "shuffled", trained(x, labels))
    return evaluated.evaluate(SPEC, folder / "examples", model, folder / "out", folder / "blessed")


def test_the_task_whose_labels_were_shuffled_is_named_and_no_other(shuffled: Any) -> None:
    assert not shuffled.is_blessed
    assert shuffled.verdicts["click"].refusals == []
    assert any(
        refusal.startswith("auc ")
        and "worse than the blessed model's" in refusal
        and "95 % interval" in refusal
        for refusal in shuffled.verdicts["share"].refusals
    )


def test_a_model_worse_than_the_blessed_one_within_noise_is_blessed(
    evaluated: Any, folder: Path
) -> None:
    weights = {
        task: np.add(true, [0.1, 0.1, 0.0, 0.0]).tolist() for task, true in TRUE_WEIGHTS.items()
    }
    model = evaluated.write_linear_model(folder / "slightly_worse", weights)
    best = evaluated.write_linear_model(folder / "best", TRUE_WEIGHTS)
    found = evaluated.evaluate(SPEC, folder / "examples", model, folder / "noise", best)
    # More than the tolerance, but not beyond noise.
    assert max(verdict.change.value for verdict in found.verdicts.values()) < -0.001
    assert found.is_blessed


def test_gauc_is_scikit_learns(shuffled: Any) -> None:
    scores, labels = X @ trained(*sample(3000, seed=2))["click"], LABELS["click"]
    rows_of_users = [np.arange(user, len(X), USERS) for user in range(USERS)]
    aucs = [roc_auc_score(labels[rows], scores[rows]) for rows in rows_of_users]
    assert shuffled.verdicts["click"].baseline_metrics["gauc"] == pytest.approx(
        np.mean(aucs), abs=1e-5
    )


def test_ndcg_is_scikit_learns(shuffled: Any) -> None:
    scores = X @ trained(*sample(3000, seed=2))["click"]
    gains = LABELS["click"] + 3.0 * LABELS["share"]
    by_user = [
        ndcg_score([gains[user::USERS]], [scores[user::USERS]], k=5) for user in range(USERS)
    ]
    assert shuffled.ranking[0].baseline["ndcg"].value == pytest.approx(np.mean(by_user), abs=1e-5)


def test_normalized_entropy_and_calibration_are_those_of_their_definitions(
    shuffled: Any,
) -> None:
    labels = LABELS["click"]
    scores = 1.0 / (1.0 + np.exp(-X @ trained(*sample(3000, seed=2))["click"]))
    rate = labels.mean()
    log_loss = -np.mean(labels * np.log(scores) + (1.0 - labels) * np.log(1.0 - scores))
    base = -(rate * np.log(rate) + (1.0 - rate) * np.log(1.0 - rate))
    metrics = shuffled.verdicts["click"].baseline_metrics
    assert metrics["normalized_entropy"] == pytest.approx(log_loss / base, rel=1e-5)
    assert metrics["calibration"] == pytest.approx(scores.mean() / rate, rel=1e-5)


def test_an_interval_has_about_the_width_that_theory_gives(shuffled: Any) -> None:
    # Hanley and McNeil's standard error of an AUC.
    labels, auc = LABELS["click"], shuffled.verdicts["click"].baseline_metrics["auc"]
    positives = labels.sum()
    negatives = len(labels) - positives
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    estimate = shuffled.verdicts["click"].slices[0].baseline["auc"]
    width = estimate.upper - estimate.lower
    assert 0.5 < width / (2 * 2.09 * (variance / (positives * negatives)) ** 0.5) < 1.5


def test_gauc_and_ndcg_have_intervals_by_user(shuffled: Any) -> None:
    # Their standard error is about the deviation among the 60 users over the square root of their
    # number.
    scores, labels = X @ trained(*sample(3000, seed=2))["click"], LABELS["click"]
    gains = LABELS["click"] + 3.0 * LABELS["share"]
    aucs = [roc_auc_score(labels[user::USERS], scores[user::USERS]) for user in range(USERS)]
    ndcgs = [ndcg_score([gains[user::USERS]], [scores[user::USERS]], k=5) for user in range(USERS)]
    for estimate, values in (
        (shuffled.verdicts["click"].slices[0].baseline["gauc"], aucs),
        (shuffled.ranking[0].baseline["ndcg"], ndcgs),
    ):
        assert (
            0.5 < (estimate.upper - estimate.lower) / (2 * 2.09 * np.std(values) / USERS**0.5) < 1.5
        )
