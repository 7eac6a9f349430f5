"""The component that measures the MTL gain, on models made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from feature_spec.loading import parse_spec
from pipeline.evaluate.task_gains import MtlGains, read_gains
from pipeline.step_specs import gain_spec

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = parse_spec("""
name: linear
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.5, tolerance: 0.001}
  share: {kind: binary, label: {rule: event, column: b}, metric: log_loss, threshold: 0.4, tolerance: 0.001}
ranking_formula: {weights: {click: 1}}
""")
TOGETHER = {"click": [1.0, -0.5], "share": [0.0, 0.0]}
ALONE = {"click": [1.0, 0.5], "share": [1.0, 1.0]}

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(600, 2)).astype("f4")
CLICK = (RANDOM.random(600) < 1 / (1 + np.exp(-X @ [1.0, -0.5]))).astype("f4")
SHARE = (RANDOM.random(600) < 1 / (1 + np.exp(-X @ [1.0, 1.0]))).astype("f4")
# A share is only possible on every second row.
CAN_SHARE = np.arange(600) % 2 == 0


@pytest.fixture(scope="module")
def gains(tmp_path_factory: pytest.TempPathFactory) -> MtlGains:
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from pipeline.commands.run_options import beam_arguments
    from pipeline.evaluate.mtl_gain import MtlGain
    from tests.pipeline.evaluate import evaluated

    folder = tmp_path_factory.mktemp("gain")
    rows: list[dict[str, Any]] = [
        {
            "x": X[row].tolist(), "label_of_click": float(CLICK[row]), "mask_of_click": 1.0,
            "label_of_share": float(SHARE[row]), "mask_of_share": float(CAN_SHARE[row]),
        }
        for row in range(len(X))
    ]  # fmt: skip
    examples, together, alone, gain = (
        standard_artifacts.Examples(), standard_artifacts.Model(), standard_artifacts.Model(), standard_artifacts.ModelEvaluation()
    )  # fmt: skip
    examples.uri, examples.split_names = (
        str(evaluated.write_examples(folder / "examples", rows)),
        '["evaluation"]',
    )
    together.uri = str(evaluated.write_linear_model(folder / "together", TOGETHER))
    alone.uri = str(evaluated.write_linear_model(folder / "alone", ALONE))
    gain.uri = str(folder / "gain")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=beam_arguments([]), tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    MtlGain.EXECUTOR_SPEC.executor_class(context).Do(
        {"examples": [examples], "model": [together], "single_tasks": [alone]},
        {"gain": [gain]},
        {"spec": gain_spec(SPEC)},
    )
    return read_gains(gain.uri)


def scores(weights: list[float]) -> np.ndarray:
    return 1 / (1 + np.exp(-X @ np.array(weights)))


def log_loss(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float(-np.mean(labels * np.log(predicted) + (1 - labels) * np.log(1 - predicted)))


def test_the_gain_of_an_auc_is_the_difference_of_scikit_learns(gains: MtlGains) -> None:
    [click, _] = gains.tasks
    aucs = [roc_auc_score(CLICK, scores(weights["click"])) for weights in (TOGETHER, ALONE)]
    assert [click.together, click.alone] == pytest.approx(aucs, abs=1e-3)
    assert click.gain is not None
    assert click.gain.lower is not None
    assert click.gain.upper is not None
    assert click.gain.lower < click.gain.value < click.gain.upper
    assert click.gain.value == pytest.approx(aucs[0] - aucs[1], abs=1e-3)


def test_the_gain_of_a_log_loss_is_what_it_falls_by_on_the_tasks_own_sample_space(
    gains: MtlGains,
) -> None:
    [_, share] = gains.tasks
    losses = [
        log_loss(SHARE[CAN_SHARE], scores(weights["share"])[CAN_SHARE])
        for weights in (TOGETHER, ALONE)
    ]
    assert share.example_count == 300
    assert share.gain is not None
    assert share.gain.value == pytest.approx(losses[1] - losses[0], abs=1e-5)


def test_a_model_that_is_better_on_one_task_and_worse_on_another_is_a_seesaw(
    gains: MtlGains,
) -> None:
    assert gains.gaining == ["click"]
    assert gains.negative_transfer == ["share"]
    assert gains.seesaw_beyond_noise
