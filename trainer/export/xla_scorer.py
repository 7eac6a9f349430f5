"""The logits of a ranking request by XLA, whose programs have a fixed number of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from feature_spec.feature_layout import IDS, LIST_WEIGHTS, NUMBERS, VECTORS
from trainer.network.network import AssembledNetwork

_OF_CANDIDATES = tuple(of_side["candidate"] for of_side in (IDS, NUMBERS, VECTORS, LIST_WEIGHTS))


def padded_count(candidates: tf.Tensor, counts: Sequence[int]) -> tf.Tensor:
    """Return the least of `counts` that holds all candidates, or a multiple of the largest.

    Args:
        candidates: the number of candidates, a scalar.
        counts: the numbers of candidates that there are programs for.
    """
    sizes = tf.constant(sorted(counts))
    largest = sizes[-1]
    beyond = -(-candidates // largest) * largest
    sizes_and_beyond = tf.concat([sizes, [beyond]], axis=0)
    return sizes_and_beyond[tf.searchsorted(sizes, candidates[tf.newaxis])[0]]


class XlaScorer(tf.Module):
    """The logits of one request's candidates, from tables to towers in one compiled program.

    There is a program for each padded number of candidates.

    Args:
        network: the network that computes the logits.
        counts: the numbers of candidates that there are programs for.
    """

    def __init__(self, network: AssembledNetwork, counts: Sequence[int]) -> None:
        super().__init__(name="xla_scorer")
        self._counts = tuple(counts)
        self._logits = tf.function(
            lambda features: network(features, one_request=True), jit_compile=True, autograph=False
        )

    def __call__(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Compute logits as the network does with `one_request`.

        Args:
            features: transformed features of one request, (1, ·), and of its candidates, (C, ·).

        Returns:
            Logits by task, (C,).
        """
        of_candidates = [features[name] for name in _OF_CANDIDATES if name in features]
        count = tf.shape(of_candidates[0])[0]
        more = padded_count(count, self._counts) - count
        padded = {
            name: tf.pad(features[name], [[0, more], [0, 0]])
            for name in _OF_CANDIDATES
            if name in features
        }
        return {
            task: logits[:count] for task, logits in self._logits({**features, **padded}).items()
        }
