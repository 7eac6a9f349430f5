"""Where metrics of ours find, in TFMA's inputs, what `evaluated_features` put there."""

from __future__ import annotations

from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics.metric_types import StandardMetricInputsPreprocessor

from pipeline.evaluate.metrics.eval_config import BASELINE, PART


def features_preprocessor(output: str) -> StandardMetricInputsPreprocessor:
    """Hands on an example's part in the jackknife and what there is of this output: label, weight and scores."""
    return StandardMetricInputsPreprocessor(
        {constants.FEATURES_KEY: {PART: {}, output: {}}}, include_default_inputs=False
    )


def score_column(model: str) -> int:
    """The column of a model's scores: after label and weight the candidate's, then the baseline's."""
    return 3 if model == BASELINE else 2
