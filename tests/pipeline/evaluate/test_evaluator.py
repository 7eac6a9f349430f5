"""Every task is judged on its own sample space, and what cannot be judged is refused or said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation_result import Estimate

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def spec(*, click: float, share: float, watch: float) -> FeatureSpec:
    """Three tasks with these thresholds."""
    return parse_spec(f"""
name: tiny
logs: {{exposures: {{path: a, format: jsonl}}}}
split: {{evaluation_files: [a]}}
keys: {{user: u}}
fields: {{x: {{side: item, kind: numeric}}, tab: {{side: context, kind: categorical}}}}
tasks:
  click: {{kind: binary, label: {{rule: event, column: a}}, metric: auc, threshold: {click}, tolerance: 0.01}}
  share: {{kind: binary, label: {{rule: event, column: b}}, metric: log_loss, threshold: {share}, tolerance: 0.01}}
  watch: {{kind: regression, label: {{rule: column, column: c}}, metric: mse, threshold: {watch}, tolerance: 0.01}}
ranking_formula: {{weights: {{click: 1}}}}
evaluation:
  ndcg: {{k: 2, by: user, relevance: {{click: 1, share: 2}}}}
  slices: [{{field: tab, protected: true}}, {{field: x, boundaries: [4]}}]
""")


SPEC = spec(click=0.6, share=0.9, watch=0.1)
TASKS = list(SPEC.tasks)


COPIES = 40
# By x: four users, two of whom have one example.
USERS = "uvwuuuvz"


def rows(**changed: float) -> list[dict[str, float | str]]:
    """Eight examples, of which share lives in the four with an even number and watch in the first two; all of them 40 times.

    Click's label is 1 for x = 0, 1, 2, 4 and 0 for the others, so that of the 16 pairs of a
    positive and a negative the sigmoid of −x orders 4 + 4 + 4 + 3 = 15 rightly: an AUC of 15/16.
    Each copy has users of its own.
    """
    return [
        {
            "x": float(x), "user_key": f"{USERS[x]}{copy}",
            **({"tab": "odd" if x % 2 else "even"} if x != 7 else {}),
            "label_of_click": float(x in {0, 1, 2, 4}), "mask_of_click": 1.0,
            "label_of_share": float(x in {0, 2}), "mask_of_share": float(x % 2 == 0),
            "label_of_watch": 0.25 * (x < 2), "mask_of_watch": float(x < 2),
            **changed,
        }
        for copy in range(COPIES)
        for x in range(8)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def evaluated() -> Any:
    from tests.pipeline.evaluate import evaluated  # not sooner: it imports TFX

    return evaluated


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, evaluated: Any) -> Path:
    """Models that rank rightly (`good`), that rank the wrong way round (`bad`), and the examples."""
    folder = tmp_path_factory.mktemp("evaluated")
    evaluated.write_examples(folder / "examples", rows())
    evaluated.write_model(folder / "good", TASKS, scale=-1.0)
    evaluated.write_model(folder / "bad", TASKS, scale=1.0)
    return folder


@pytest.fixture(scope="module")
def first(evaluated: Any, folder: Path) -> Any:
    """The good model, with no blessed model before it."""
    return evaluated.evaluate(SPEC, folder / "examples", folder / "good", folder / "first")


@pytest.fixture(scope="module")
def worse(evaluated: Any, folder: Path) -> Any:
    """The bad model after one that was good and did not have click."""
    older = evaluated.write_model(folder / "older", ["share", "watch"], scale=-1.0)
    return evaluated.evaluate(SPEC, folder / "examples", folder / "bad", folder / "worse", older)


def test_an_empty_baseline_is_none_and_nothing_to_speak_of(
    evaluated: Any, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing_pushed").mkdir()
    alone = evaluated.evaluate(
        SPEC, folder / "examples", folder / "good", tmp_path / "out", tmp_path / "nothing_pushed"
    )
    assert alone.baseline_note == ""
    assert not any(verdict.baseline_metrics for verdict in alone.verdicts.values())


def test_a_tasks_example_count_is_the_number_of_its_valid_rows(first: Any) -> None:
    assert {task: verdict.example_count for task, verdict in first.verdicts.items()} == {
        "click": 8 * COPIES, "share": 4 * COPIES, "watch": 2 * COPIES,
    }  # fmt: skip


def test_a_tasks_metrics_are_those_of_its_sample_space(first: Any) -> None:
    assert first.verdicts["click"].metrics["auc"] == pytest.approx(15 / 16, abs=1e-4)
    # Of share's examples x = 0 and 2 are positive, 4 and 6 are not. Scores are sigmoid(−x): .5,
    # .1192, .0180, .0025. −(ln .5 + ln .1192 + ln .9820 + ln .9975) / 4 = (.6931 + 2.1269 + .0181 +
    # .0025) / 4
    assert first.verdicts["share"].metrics["log_loss"] == pytest.approx(0.71016, abs=1e-4)
    assert first.verdicts["share"].metrics["auc"] == pytest.approx(1.0, abs=1e-4)
    # Scores of watch are sigmoid(0) = .5 and sigmoid(−1) = .2689, its labels .25: (.25² + .0189²) /
    # 2.
    assert first.verdicts["watch"].metrics["mse"] == pytest.approx(0.031429, abs=1e-5)
    assert first.verdicts["watch"].metrics["mae"] == pytest.approx((0.25 + 0.01894) / 2, abs=1e-5)
    assert first.verdicts["watch"].metrics["xauc"] is None  # its labels are all alike


def test_log_loss_is_related_to_that_of_the_base_rate_and_scores_to_labels(first: Any) -> None:
    # Half of share's examples are positive, which alone costs ln 2 each; the scores add up to
    # .6397, the labels to 2.
    assert first.verdicts["share"].metrics["normalized_entropy"] == pytest.approx(
        0.71016 / 0.693147, abs=1e-4
    )
    assert first.verdicts["share"].metrics["calibration"] == pytest.approx(0.63966 / 2, abs=1e-4)


def test_a_calibration_curve_has_mean_scores_beside_mean_labels(first: Any) -> None:
    curve = first.verdicts["share"].slices[0].calibration
    assert [bucket.example_count for bucket in curve] == [COPIES] * 4
    assert [bucket.mean_label for bucket in curve] == [0.0, 0.0, 1.0, 1.0]
    assert [bucket.mean_score for bucket in curve] == pytest.approx(
        [0.0025, 0.0180, 0.1192, 0.5], abs=1e-4
    )


def test_gauc_averages_the_auc_of_users_by_their_exposures(first: Any) -> None:
    # User u has x = 0, 3, 4, 5 with the labels 1, 0, 1, 0: of 4 pairs, 4 and 3 are the wrong way
    # round. User v has 1 and 6, rightly ordered. Users w and z have one label only: (4 · 3/4 + 2 ·
    # 1) / 6.
    assert first.verdicts["click"].metrics["gauc"] == pytest.approx(5 / 6)


def test_ndcg_is_of_the_ranking_score_against_the_declared_relevance(first: Any) -> None:
    # By descending x, gains are for u: 0 1 0 3, best 3 1 0 0; for v: 0 1, best 1 0; for w: 3; for
    # z: 0, who is left out. The second place counts 1 / log2 3 = .63093: (.63093 / 3.63093 + .63093
    # + 1) / 3
    assert first.ranking[0].metrics["ndcg"].value == pytest.approx(0.60157, abs=1e-5)


def test_slices_have_their_own_counts_and_metrics(first: Any) -> None:
    slices = {part.name: part for part in first.verdicts["click"].slices}
    assert list(slices) == ["", "tab=even", "tab=missing", "tab=odd", "x=below 4", "x=4 and above"]
    assert {name: part.example_count // COPIES for name, part in slices.items()} == {
        "": 8, "tab=even": 4, "tab=missing": 1, "tab=odd": 3, "x=4 and above": 4, "x=below 4": 4,
    }  # fmt: skip
    # x = 0, 2, 4, 6 with the labels 1, 1, 1, 0.
    assert slices["tab=even"].metrics["auc"].value == pytest.approx(1.0, abs=1e-4)
    assert slices["tab=missing"].metrics["auc"].value is None


def test_metrics_by_user_are_left_out_of_slices_that_divide_a_users_examples(first: Any) -> None:
    assert {part.name for part in first.verdicts["click"].slices if "gauc" in part.metrics} == {""}
    assert {part.name for part in first.ranking if part.metrics} == {""}


def test_a_metric_has_an_interval_about_its_value(first: Any) -> None:
    auc = first.verdicts["click"].slices[0].metrics["auc"]
    assert auc.lower < 15 / 16 < auc.upper < 1.0
    # It reaches equally far to both sides on the scale of the logit.
    lower, value, upper = (math.log(x / (1.0 - x)) for x in (auc.lower, auc.value, auc.upper))
    assert upper - value == pytest.approx(value - lower)


def test_the_first_model_is_blessed_by_the_thresholds_alone(first: Any) -> None:
    assert first.is_blessed
    assert first.verdicts["click"].baseline_metrics == {}
    assert first.baseline_note == ""


def test_a_model_worse_than_the_blessed_one_is_refused_in_each_metrics_own_direction(
    worse: Any,
) -> None:
    assert not worse.is_blessed
    for task, metric in (("share", "log_loss"), ("watch", "mse")):
        assert any(
            refusal.startswith(f"{metric} ") and "worse than the blessed model's" in refusal
            for refusal in worse.verdicts[task].refusals
        )


def test_a_value_beyond_its_threshold_is_refused_in_each_metrics_own_direction(worse: Any) -> None:
    assert "log_loss 2.7102 is above the threshold 0.9" in worse.verdicts["share"].refusals
    assert "mse 0.1470 is above the threshold 0.1" in worse.verdicts["watch"].refusals


@pytest.fixture(scope="module")
def unjudgeable(evaluated: Any, folder: Path) -> Any:
    """The good model after itself, by examples that tell nothing of any task."""
    lenient = spec(click=0.0, share=100.0, watch=100.0)
    examples = evaluated.write_examples(
        folder / "empty", rows(label_of_click=1.0, mask_of_share=0.0, mask_of_watch=0.0)
    )
    return evaluated.evaluate(
        lenient, examples, folder / "good", folder / "unjudgeable", folder / "good"
    )


def test_tasks_that_cannot_be_judged_refuse_the_model_whatever_their_thresholds(
    unjudgeable: Any,
) -> None:
    assert not unjudgeable.is_blessed
    assert {name: verdict.refusals for name, verdict in unjudgeable.verdicts.items()} == {
        "click": [
            "auc cannot be computed: all its labels are alike, or its scores are not numbers"
        ],
        "share": ["no evaluation example lies in its sample space"],
        "watch": ["no evaluation example lies in its sample space"],
    }


def test_models_that_are_equal_differ_by_nothing(unjudgeable: Any) -> None:
    assert unjudgeable.verdicts["click"].slices[0].changes["log_loss"] == Estimate(
        value=0.0, lower=0.0, upper=0.0
    )


def test_a_task_that_the_blessed_model_lacks_is_judged_by_its_threshold_alone(worse: Any) -> None:
    assert worse.verdicts["click"].baseline_value is None
    assert worse.verdicts["click"].refusals == ["auc 0.0625 is below the threshold 0.6"]
    assert worse.baseline_note == "not compared: the blessed model does not have click"


def test_a_blessed_model_that_cannot_read_the_examples_is_left_out_and_the_reason_said(
    evaluated: Any, folder: Path
) -> None:
    import tensorflow as tf

    older = evaluated.write_model(folder / "other_type", TASKS, kind=tf.int64)
    found = evaluated.evaluate(
        SPEC, folder / "examples", folder / "good", folder / "unreadable", older
    )
    assert found.is_blessed
    assert found.verdicts["click"].baseline_metrics == {}
    assert found.baseline_note.startswith(
        "not compared: the blessed model cannot score these examples (InvalidArgumentError: "
    )
