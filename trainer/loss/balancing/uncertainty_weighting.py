"""Uncertainty weighting."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.loss.balancing.balancing import Balancing


class UncertaintyWeighting(Balancing):
    """Each task's loss by its learnt noise σ_k (Kendall et al., CVPR 2018, Eq 5–10).

    L_k / (2σ_k²) + log σ_k for a regression and L_k / σ_k² + log σ_k for a binary task, with log
    σ_k² learnt, from 0. A term may become negative. ω_k multiplies both parts: were it in the first
    only, σ_k would unlearn it. A batch without a row of a task says nothing of its noise, so log
    σ_k is left out there.

    Args:
        kinds: `binary` or `regression` for each task.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(name="uncertainty_weighting")
        self.scales = [0.5 if kind == "regression" else 1.0 for kind in kinds]
        self.log_variances = tf.Variable(tf.zeros(len(kinds)), name="log_variances")

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Both parts for each task."""
        precisions = tf.exp(-self.log_variances)
        log_deviations = presence * self.log_variances / 2.0
        return [
            scale * precisions[k] * loss + log_deviations[k]
            for k, (scale, loss) in enumerate(zip(self.scales, losses, strict=True))
        ]
