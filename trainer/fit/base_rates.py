"""The first weights of heads: a network that knows nothing predicts the mean of the labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feature_spec import names
from trainer.inputs.examples import Examples
from trainer.layers.distribution_towers import DistributionTower, Labels
from trainer.network.network import Network

_CHUNK_ROWS = 1 << 20


def begin_at_base_rates(network: Network, examples: Examples) -> None:
    """Set the heads of a built network to the labels of its tasks.

    The bias of a binary task begins at the logit of the share of positives; a regression at the
    mean of its labels, and it learns them in units of their standard deviation. A head that
    predicts a distribution begins with that of all labels, which also makes its cuts. Otherwise a
    rare label is predicted many times too often until the bias has come down, and a label far from
    0 fills the gradients of what tasks share.

    Args:
        network: a built network.
        examples: the examples to train on. A task without a row in its sample space begins at 0.
    """
    counts, means, deviations = _label_moments(examples)
    for position, (tower, (task, kind)) in enumerate(
        zip(network.towers, network.layout.tasks.items(), strict=True)
    ):
        count, mean = counts[position], means[position]
        if not count:
            continue
        if isinstance(tower, DistributionTower):
            tower.learn(_labels_of(examples, position))
        elif kind == "binary":
            # As if there were half a positive and half a negative more: no rate is 0 or 1.
            rate = (mean * count + 0.5) / (count + 1.0)
            tower.logit.bias.assign([np.log(rate) - np.log1p(-rate)])
            if task in network.layout.imputed:
                imputation = network.imputations[network.layout.imputed.index(task)]
                imputation.logit.bias.assign(tower.logit.bias)
        else:
            tower.mean.assign(mean)
            tower.deviation.assign(deviations[position] or 1.0)


def _labels_of(examples: Examples, column: int) -> Labels:
    """Return the labels in a task's sample space, with their weights."""
    labels = np.asarray(examples.columns[names.LABELS][:, column], np.float64)
    masks = np.asarray(examples.columns[names.MASKS][:, column], np.float64)
    inside = np.flatnonzero((masks > 0.0) & np.isfinite(labels))
    order = inside[np.argsort(labels[inside], kind="stable")]
    return Labels(labels[order], masks[order])


def _label_moments(
    examples: Examples,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the weights, mean and standard deviation of the labels in each sample space, (K,)."""
    labels, masks = examples.columns[names.LABELS], examples.columns[names.MASKS]
    counts = np.zeros(labels.shape[1])
    means, squares = np.zeros_like(counts), np.zeros_like(counts)
    for first in range(0, examples.rows, _CHUNK_ROWS):
        part = np.asarray(labels[first : first + _CHUNK_ROWS], np.float64)
        inside = np.asarray(masks[first : first + _CHUNK_ROWS], np.float32) > 0.0
        # A label that is no number ends the training in its first step, which names it.
        inside &= np.isfinite(part)
        part = np.where(inside, part, 0.0)
        # A mask is how much a row counts.
        weights = np.where(inside, masks[first : first + _CHUNK_ROWS], 0.0).astype(np.float64)
        added = weights.sum(axis=0)
        mean = (weights * part).sum(axis=0) / np.where(added > 0.0, added, 1.0)
        total = np.where(counts + added > 0.0, counts + added, 1.0)
        # Chan et al.: the moments of two parts together, without the squares of large means.
        squares += (weights * np.where(inside, part - mean, 0.0) ** 2).sum(axis=0)
        squares += (mean - means) ** 2 * counts * added / total
        means += (mean - means) * added / total
        counts += added
    return counts, means, np.sqrt(squares / np.where(counts > 0.0, counts, 1.0))
