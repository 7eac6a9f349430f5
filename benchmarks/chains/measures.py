"""How far predicted conversion rates are from the true ones, where they are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.chains.simulated import Impressions


def expected_auc(rates: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUC of scores, (N,), in the mean over labels that are drawn at true rates, (N,).

    It is the share of pairs in order, of a positive and a negative; ties count half.
    """
    _, group = np.unique(scores, return_inverse=True)
    positives = np.bincount(group, rates)
    negatives = np.bincount(group, 1.0 - rates)
    below = np.cumsum(negatives) - negatives / 2.0
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def divergence(rates: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean Kullback–Leibler divergence of predicted from true rates, (N,), in nats."""
    likely = np.clip(scores, 1e-7, 1.0 - 1e-7)
    gaps = rates * np.log(rates / likely)
    gaps += (1.0 - rates) * np.log((1.0 - rates) / (1.0 - likely))
    return float(gaps.mean())


def measured(impressions: Impressions, scores: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the measures of predicted rates.

    Args:
        impressions: the impressions that judge.
        scores: P(click) and P(conversion | click), (N,), by task.

    Returns:
        For the conversion rate, by part (``all``, ``clicked``, ``unclicked``) and measure:
        ``bias``, predicted over true sum, less 1; ``kl``; ``auc``. ``joint …`` are those of P(click
        and conversion) over all impressions, and ``click auc`` is that of P(click). ``tilt`` is how
        much too high the rate is predicted where nobody clicked, beside where someone did: what
        learning from clicks alone does, whatever the level of all predictions.
    """
    parts = {
        "all": np.ones(impressions.size, bool),
        "clicked": impressions.clicked == 1,
        "unclicked": impressions.clicked == 0,
    }
    result = {}
    for part, rows in parts.items():
        result |= _of(part, impressions.conversion[rows], scores["conversion"][rows])
    result["tilt"] = (1.0 + result["unclicked bias"]) / (1.0 + result["clicked bias"]) - 1.0
    joint = impressions.click * impressions.conversion
    result |= _of("joint", joint, scores["click"] * scores["conversion"])
    return result | {"click auc": expected_auc(impressions.click, scores["click"])}


def _of(part: str, rates: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {
        f"{part} bias": float(scores.sum() / rates.sum() - 1.0),
        f"{part} kl": divergence(rates, scores),
        f"{part} auc": expected_auc(rates, scores),
    }
