"""TFMA reads the files of an evaluation as its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_spec.loading import load_spec
from pipeline.evaluate.metrics.eval_config import eval_config

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

OUTPUTS = {"vtr", "vcr", "shr", "cmr", "ctr", "ranking_score"}


def measured(model: str, metric: str, *values: float, value: bytes = b"") -> Any:
    from pipeline.evaluate.tfma_files import Measured

    return Measured(
        field="scenario" if value else "", slice_value=value, output="vtr", model=model,
        metric=metric, values=np.array(values),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three parts; the baseline's AUC is lower by .1, .08, .1 and .12."""
    from pipeline.evaluate.tfma_files import write_eval_config, write_results

    folder = str(tmp_path_factory.mktemp("evaluation"))
    models = {"candidate": "new", "baseline": "old"}
    write_eval_config(folder, eval_config(load_spec("short_video"), OUTPUTS), models)
    found = [
        measured("candidate", "example_count", 12.0),
        measured("candidate", "auc", 0.8, 0.78, 0.8, 0.82),
        measured("baseline", "auc", 0.7, 0.7, 0.7, 0.7),
        measured("candidate", "auc", 0.75, value=b"click"),
    ]
    curve = measured("candidate", "", *[0.0] * 8)
    curve.values.resize((2, 4))
    curve.values[:] = [[0.1, 2.0, 0.6, 1.0], [0.5, 3.0, 2.1, 2.0]]
    write_results(folder, [*found, curve], models)
    return folder


def test_an_evaluation_result_has_metrics_by_slice_and_output(folder: str) -> None:
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(folder, model_name="candidate")
    by_slice = {key: of_slice["vtr"][""] for key, of_slice in result.slicing_metrics}
    assert by_slice[()]["auc"]["boundedValue"]["value"] == pytest.approx(0.8)
    assert by_slice[()]["example_count"] == {"doubleValue": 12.0}
    assert by_slice[(("scenario", "click"),)]["auc"] == {"doubleValue": 0.75}
    assert result.config.slicing_specs[1].feature_keys == ["scenario"]


def test_a_metric_and_its_change_have_the_interval_of_students_t(folder: str) -> None:
    import tensorflow_model_analysis as tfma
    from scipy import stats

    [whole] = [one for one in tfma.load_metrics(folder) if not one.slice_key.single_slice_keys]
    found = {
        (one.key.model_name, one.key.is_diff): one
        for one in whole.metric_keys_and_values
        if one.key.name == "auc"
    }
    assert set(found) == {("candidate", False), ("candidate", True), ("baseline", False)}
    change = found["candidate", True]
    assert change.value.double_value.value == pytest.approx(0.1)
    # Without each part .08, .1 and .12: √(2/3 · (.02² + .02²)), with P − 1 = 2 degrees of freedom.
    reach = stats.t.ppf(0.975, 2) * (2.0 / 3.0 * 0.0008) ** 0.5
    interval = change.confidence_interval
    assert interval.lower_bound.double_value.value == pytest.approx(0.1 - reach)
    assert interval.upper_bound.double_value.value == pytest.approx(0.1 + reach)
    # The baseline's is the same without each part, so that nobody can tell.
    assert not found["baseline", False].HasField("confidence_interval")


def test_a_calibration_curve_is_a_plot(folder: str) -> None:
    import tensorflow_model_analysis as tfma

    [plots] = tfma.load_plots(folder)
    [entry] = plots.plot_keys_and_values
    bounds = [
        (bucket.lower_threshold_inclusive, bucket.upper_threshold_exclusive)
        for bucket in entry.value.calibration_histogram_buckets.buckets
    ]
    assert bounds == [(0.1, 0.5), (0.5, 1.0)]


def test_a_single_model_has_no_name(tmp_path: Path) -> None:
    import tensorflow_model_analysis as tfma

    from pipeline.evaluate.tfma_files import write_eval_config, write_results

    models = {"candidate": "new"}
    write_eval_config(str(tmp_path), eval_config(load_spec("short_video")), models)
    write_results(str(tmp_path), [measured("candidate", "auc", 0.75)], models)
    result = tfma.load_eval_result(str(tmp_path))
    assert result.slicing_metrics[0][1]["vtr"][""]["auc"] == {"doubleValue": 0.75}
