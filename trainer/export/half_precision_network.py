"""The network as a GPU serves it fastest: its matrix products in bfloat16."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from trainer.network.network import AssembledNetwork, Network

_POLICY = "mixed_bfloat16"


def half_precision_network(network: Network) -> AssembledNetwork:
    """The network with the sharing architecture and the towers' hidden layers computed in bfloat16.

    Tables, logits and heads stay in float32, and weights are kept in it. The tables are those of
    `network`; the other weights are copied.

    Args:
        network: with its variables.
    """
    x = tf.zeros([1, sum(network.layout.field_widths)])
    with _half_precision():
        sharing = type(network.sharing).from_config(
            {**network.sharing.get_config(), "dtype": _POLICY}
        )
        towers = [
            type(tower).from_config({**tower.get_config(), "dtype": _POLICY})
            for tower in network.towers
        ]
        for tower, representation in zip(
            towers, sharing([x] * len(network.embeddings)), strict=True
        ):
            tower(representation)
    sharing.set_weights(network.sharing.get_weights())
    for tower, trained in zip(towers, network.towers, strict=True):
        tower.set_weights(trained.get_weights())
    return AssembledNetwork(network.layout, network.embeddings, sharing, towers, name=network.name)


@contextlib.contextmanager
def _half_precision() -> Iterator[None]:
    """Layers take their sublayers' precision from the global policy."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICY)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
