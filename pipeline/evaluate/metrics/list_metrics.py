"""GAUC of users and NDCG of users or requests: sums over lists, from which the averages follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluate.metrics.jackknife import PARTS, whole_and_without_each
from pipeline.evaluate.metrics.ranking_metrics import pairwise_auc


@dataclass(frozen=True)
class ListRows:
    """N examples of up to G lists, which lie in the sample space.

    Attributes:
        lists: the list of each example, from 0; (N,).
        labels: labels, or gains; (N,).
        weights: weights, above 0; (N,).
        scores: scores; (N,).
    """

    lists: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    scores: np.ndarray


def auc_totals(rows: ListRows, count: int) -> np.ndarray:
    """Return weight · AUC and weight of each of G lists; a list weighs the sum of its examples.

    A list with labels of one kind weighs nothing. Where a score is no number there is no order, and
    the first column is NaN.

    Args:
        rows: the examples.
        count: the number of lists, G.

    Returns:
        (G, 2).
    """
    totals = np.zeros((count, 2))
    if not rows.lists.size:
        return totals
    order = np.lexsort((rows.scores, rows.lists))
    lists, labels, weights, scores = (
        column[order] for column in (rows.lists, rows.labels, rows.weights, rows.scores)
    )
    firsts = _firsts(lists)
    place = np.cumsum(_begins(lists)) - 1  # of the list among those with examples
    lowest, highest = np.minimum.reduceat(labels, firsts), np.maximum.reduceat(labels, firsts)
    positive = (labels == highest[place]) & (labels > lowest[place])
    # Examples of equal scores in a list are a block; pairs within it count half.
    blocks = np.flatnonzero(_begins(lists) | _begins(scores))
    negatives, positives = (
        np.add.reduceat(np.where(chosen, weights, 0.0), blocks) for chosen in (~positive, positive)
    )
    below = np.cumsum(negatives) - negatives
    first_blocks = np.searchsorted(blocks, firsts)
    below -= below[first_blocks][place[blocks]]
    ordered = np.add.reduceat(positives * (below + negatives / 2.0), first_blocks)
    pairs = np.add.reduceat(negatives, first_blocks) * np.add.reduceat(positives, first_blocks)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = ordered / pairs
    for one in np.unique(place[(labels > lowest[place]) & (labels < highest[place])]):
        inside = slice(firsts[one], firsts[one + 1] if one + 1 < len(firsts) else None)
        values[one] = pairwise_auc(labels[inside], scores[inside], weights[inside])
    weighed = np.where(np.isnan(values), 0.0, np.add.reduceat(weights, firsts))
    found = np.stack([weighed * np.nan_to_num(values), weighed], axis=1)
    totals[lists[firsts]] = _with_broken(found, scores, firsts)
    return totals


def ndcg_totals(rows: ListRows, count: int, k: int) -> np.ndarray:
    """Return NDCG@k of each of G lists beside its weight 1; a list without any gain weighs nothing.

    Examples with equal scores share the discounts of their places evenly, so that their order does
    not matter. Where a score is no number there is no order, and the first column is NaN.

    Args:
        rows: the examples.
        count: the number of lists, G.
        k: the number of places that count.

    Returns:
        (G, 2).
    """
    totals = np.zeros((count, 2))
    if not rows.lists.size:
        return totals
    order = np.lexsort((-rows.scores, rows.lists))
    lists, gains, scores = (column[order] for column in (rows.lists, rows.labels, rows.scores))
    firsts = _firsts(lists)
    place = np.cumsum(_begins(lists)) - 1
    rank = np.arange(len(lists)) - firsts[place]
    discounts = np.where(rank < k, 1.0 / np.log2(rank + 2), 0.0)
    begins = _begins(lists) | _begins(scores)
    blocks = np.flatnonzero(begins)
    shared = np.add.reduceat(discounts, blocks) / np.diff(blocks, append=len(lists))
    found = np.add.reduceat(gains * shared[np.cumsum(begins) - 1], firsts)
    best = np.add.reduceat(gains[np.lexsort((-gains, lists))] * discounts, firsts)
    weighed = (best > 0.0).astype(np.float64)
    values = np.divide(found, best, out=np.zeros_like(best), where=best > 0.0)
    totals[lists[firsts]] = _with_broken(np.stack([values, weighed], axis=1), scores, firsts)
    return totals


def totals_by_part(
    totals: np.ndarray, parts: np.ndarray, lists: np.ndarray, groups: np.ndarray, count: int
) -> np.ndarray:
    """Return the totals of the lists in each of S slices, by part of the jackknife.

    Args:
        totals: the totals of each list; (G, 2).
        parts: the part of each list; (G,).
        lists: lists, each as often as it lies in a slice; (L,).
        groups: the slice of each of them; (L,).
        count: the number of slices, S.

    Returns:
        (S, PARTS, 2).
    """
    cells = groups * PARTS + parts[lists]
    columns = [np.bincount(cells, totals[lists, column], count * PARTS) for column in (0, 1)]
    return np.stack(columns, axis=1).reshape(count, PARTS, 2)


def list_average(by_part: np.ndarray) -> np.ndarray:
    """Return the average over all lists, then without each of the P parts that have any.

    Args:
        by_part: totals by part; (PARTS, 2).

    Returns:
        (1 + P,); NaN where no list has a value.
    """
    totals = whole_and_without_each(by_part, by_part[:, 1] > 0.0)
    with np.errstate(invalid="ignore"):
        average: np.ndarray = totals[:, 0] / totals[:, 1]
    return average


def _begins(sorted_values: np.ndarray) -> np.ndarray:
    """Return where a value differs from the one before it; (N,)."""
    return np.append(True, sorted_values[1:] != sorted_values[:-1])


def _firsts(sorted_values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(_begins(sorted_values))


def _with_broken(totals: np.ndarray, scores: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Return totals, (L, 2), with NaN where a list with a value has a score that is no number."""
    broken = ~np.logical_and.reduceat(np.isfinite(scores), firsts)
    totals[broken & (totals[:, 1] > 0.0), 0] = np.nan
    return totals
