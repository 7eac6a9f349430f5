"""Relative cross-entropy (normalised entropy) as a TFMA metric: log loss over that of always giving the base rate."""

from __future__ import annotations

import math
from typing import Any

from tensorflow_model_analysis.metrics import BinaryCrossEntropy, MeanLabel, metric_types, metric_util


class RelativeCrossEntropy(metric_types.Metric):
    """Below 1 where the scores tell more than the base rate does; NaN where labels are all alike.

    Args:
        name: of the metric.
        log_loss: name of the `BinaryCrossEntropy` beside it, which is then not computed twice.
    """

    def __init__(self, name: str = "relative_cross_entropy", log_loss: str = "log_loss") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name, log_loss=log_loss)


def _computations(  # noqa: PLR0917 (TFMA asks for positional names)
    name: str,
    log_loss: str,
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    place = {"model_names": [model_name], "output_names": [output_name], "example_weighted": example_weighted}
    log_losses = BinaryCrossEntropy(name=log_loss).computations(eval_config=eval_config, **place)
    mean_labels = MeanLabel(name="_mean_label").computations(eval_config=eval_config, **place)
    loss_key, rate_key = log_losses[-1].keys[-1], mean_labels[-1].keys[-1]
    key = metric_types.MetricKey(name, model_name=model_name, output_name=output_name, example_weighted=example_weighted)

    def result(metrics: dict[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
        rate = float(metrics[rate_key])
        if not 0.0 < rate < 1.0:
            return {key: math.nan}
        return {key: float(metrics[loss_key]) / -(rate * math.log(rate) + (1.0 - rate) * math.log(1.0 - rate))}

    return [*log_losses, *mean_labels, metric_types.DerivedMetricComputation(keys=[key], result=result)]
