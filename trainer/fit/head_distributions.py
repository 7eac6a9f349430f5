"""What heads have learnt of the distribution of labels, over the validation examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from feature_spec import names
from feature_spec.artifacts.head_distribution import HeadDistribution, HeadPoint
from trainer.inputs.examples import Examples
from trainer.layers.distribution_towers import DistributionTower, QuantileTower
from trainer.network.network import AssembledNetwork

_BATCH_SIZE = 4096


def head_distributions(network: AssembledNetwork, validation: Examples) -> list[HeadDistribution]:
    """Return what the heads of a network predict, and what was observed, weighted by row.

    Args:
        network: a trained network.
        validation: transformed examples with labels and masks of the network's tasks. A task
            without one in its sample space is left out.
    """
    heads = network.heads
    if not heads:
        return []

    @tf.function(autograph=False, reduce_retracing=True)
    def outputs_of(batch: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        logits = network(batch, training=False)
        return [logits[task] for task in heads]

    found = [outputs_of(batch) for batch in validation.in_order(_BATCH_SIZE)]
    result = []
    for place, (task, tower) in enumerate(heads.items()):
        column = list(network.layout.tasks).index(task)
        masks = np.asarray(validation.columns[names.MASKS][:, column], np.float64)
        labels = np.asarray(validation.columns[names.LABELS][:, column], np.float64)
        outputs = np.concatenate([of_heads[place].numpy() for of_heads in found])
        inside = masks > 0.0
        if inside.any():
            result.append(
                _distribution(task, tower, outputs[inside], labels[inside], masks[inside])
            )
    return result


def _distribution(
    task: str, tower: DistributionTower, outputs: np.ndarray, labels: np.ndarray, masks: np.ndarray
) -> HeadDistribution:
    places, predicted, observed = tower.shown(outputs, labels)
    is_quantiles = isinstance(tower, QuantileTower)
    least, largest = (float(tf.identity(end)) for end in tower.range)
    return HeadDistribution(
        task=task,
        head="quantiles" if is_quantiles else "ordinal",
        examples=len(labels),
        least=least,
        largest=largest,
        mean_score=float(np.average(tower.expected(tf.constant(outputs)).numpy(), weights=masks)),
        mean_label=float(np.average(labels, weights=masks)),
        points=[
            HeadPoint(place=float(place), predicted=float(mean), observed=float(share))
            for place, mean, share in zip(
                places,
                np.average(predicted, axis=0, weights=masks),
                np.average(observed, axis=0, weights=masks),
                strict=True,
            )
        ],
    )
