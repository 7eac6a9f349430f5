"""What a sharing architecture can show of its inside, with a name for each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class GateWeights(NamedTuple):
    """The weights that one softmax gate gave.

    Attributes:
        experts: names of the E experts that it weighs.
        weights: (B, E), rows of which sum to 1.
    """

    experts: Sequence[str]
    weights: tf.Tensor


class Block(NamedTuple):
    """A part of a connection that hard-concrete gates open and close.

    Attributes:
        connection: the layer.
        source: the sub-network whose output goes in.
        target: the sub-network or task that reads what comes out.
        gates: ẑ, (cells,): one gate a cell, or a single one for the whole block; 0 is closed.
    """

    connection: str
    source: str
    target: str
    gates: tf.Tensor


class Coefficients(NamedTuple):
    """A learnt linear mixture.

    Attributes:
        name: the unit and the letter of the paper.
        sources: names of the N parts that are mixed.
        targets: names of the M mixtures.
        values: (M, N), or (M, N, units) where each unit has a mixture of its own.
    """

    name: str
    sources: Sequence[str]
    targets: Sequence[str]
    values: tf.Tensor


def own(task: str, number: int | None = None) -> str:
    """The name of a task's own expert or sub-network. No task's name makes it that of a shared one."""
    return f"own of {task}" if number is None else f"own {number} of {task}"


def numbered(what: str, count: int) -> list[str]:
    """``what 1`` … ``what count``."""
    return [f"{what} {number + 1}" for number in range(count)]
