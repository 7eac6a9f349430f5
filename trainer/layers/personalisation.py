"""PEPNet around a model: gates on its input by domain, and on its towers by prior information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.layers.flat_input import FlatInput
from trainer.layers.gate_nu import GateNU


class GatedInput(NamedTuple):
    """A model's input after its gates.

    Attributes:
        x: what the model reads: (B, I) where the domain gates it, else as it was.
        field_gates: the gates of the input's columns, (B, I); None without a domain.
        tower_gates: the gates of each hidden layer, (B, units), by tower; without prior
            information, none for any tower.
    """

    x: tf.Tensor | FlatInput
    field_gates: tf.Tensor | None
    tower_gates: list[list[tf.Tensor]]


@tf.keras.utils.register_keras_serializable("fulcrum")
class Personalisation(tf.keras.layers.Layer):
    """The gates of one set of embeddings.

    EPNet: x' = GateNU([E(domain); sg(x)]) ⊙ x (PEPNet, Eq 3–5). PPNet: a hidden layer H of a tower
    becomes H ⊙ GateNU([E(prior); sg(x')]) (Eq 6–8), and all these gates share their W₁.

    In a ranking request, W₁ reads the user's fields once. Where the domain gates the input, the
    user's part of it differs from candidate to candidate, because a gate also sees the candidate;
    so a model's first layer no longer has a part that is computed once.

    Args:
        domain: the columns of the input that hold the domain; none for no gates on the input.
        prior: the columns that hold the prior information; none for no gates on towers.
        width: I, the columns of the input.
        request_width: how many of them belong to the request; these come first.
        units: the units of the hidden layer of the gates.
        towers: the units of the hidden layers, by tower.

    Call arguments:
        x: the model's input, (B, I), or a `FlatInput`.

    Returns:
        A `GatedInput`.

    Examples:
        >>> import tensorflow as tf
        >>> from trainer.layers.personalisation import Personalisation
        >>> gates = Personalisation([0, 1], [4], width=5, request_width=2, units=8, towers=[[3]])
        >>> gated = gates(tf.ones([7, 5]))
        >>> gated.x.shape.as_list(), gated.tower_gates[0][0].shape.as_list()
        ([7, 5], [7, 3])

    References:
        PEPNet, Chang et al., KDD 2023: https://arxiv.org/abs/2302.01115
    """

    def __init__(
        self,
        domain: Sequence[int],
        prior: Sequence[int],
        *,
        width: int,
        request_width: int,
        units: int,
        towers: Sequence[Sequence[int]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domain, self.prior = tuple(domain), tuple(prior)
        self.width, self.request_width, self.units = width, request_width, units
        self.towers = tuple(map(tuple, towers))
        sizes = [size for tower in self.towers for size in tower]
        self.of_input = GateNU(units, [width], name="of_input") if self.domain else None
        self.of_towers = GateNU(units, sizes, name="of_towers") if self.prior else None

    def call(self, x: tf.Tensor | FlatInput) -> GatedInput:
        gated, field_gates = x, None
        if self.of_input is not None:
            (field_gates,) = self.of_input([self._columns(x, self.domain), x])
            gated = _scaled(x, field_gates)
        tower_gates: list[list[tf.Tensor]] = [[] for _ in self.towers]
        if self.of_towers is not None:
            gates = iter(self.of_towers([self._columns(x, self.prior), gated]))
            tower_gates = [[next(gates) for _ in tower] for tower in self.towers]
        return GatedInput(gated, field_gates, tower_gates)

    def _columns(self, x: tf.Tensor | FlatInput, columns: Sequence[int]) -> tf.Tensor | FlatInput:
        """Take some columns of an input, those of each side from its part."""
        if not isinstance(x, FlatInput):
            return _taken(x, columns)
        of_request = [column for column in columns if column < self.request_width]
        of_candidate = [
            column - self.request_width for column in columns if column >= self.request_width
        ]
        return FlatInput(_taken(x.request, of_request), _taken(x.candidate, of_candidate))

    def multiplications(self) -> tuple[int, int]:
        """Count the multiplications that `rank` does for a request and for each candidate."""
        request = candidate = 0
        of_request = self.request_width
        for gate, columns in ((self.of_input, self.domain), (self.of_towers, self.prior)):
            if gate is None:
                continue
            own = sum(column < self.request_width for column in columns)
            request += (own + of_request) * gate.units
            candidate += (len(columns) - own + self.width - of_request) * gate.units
            # The heads, and the products with what they scale.
            candidate += (gate.units + 1) * sum(gate.sizes)
            # What the domain has gated differs from candidate to candidate.
            of_request = 0
        return request, candidate

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "domain": self.domain,
            "prior": self.prior,
            "width": self.width,
            "request_width": self.request_width,
            "units": self.units,
            "towers": self.towers,
        }


def _taken(x: tf.Tensor, columns: Sequence[int]) -> tf.Tensor:
    """Take columns by slices of neighbours, whose gradient is cheaper than that of a gather."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and column == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([column, column + 1])
    parts = [x[:, first:last] for first, last in runs]
    return tf.concat(parts, axis=1) if parts else x[:, :0]


def _scaled(x: tf.Tensor | FlatInput, gates: tf.Tensor) -> tf.Tensor:
    """Multiply an input by its gates, (B, I)."""
    if not isinstance(x, FlatInput):
        return x * gates
    request, candidate = tf.split(
        gates, [int(x.request.shape[-1]), int(x.candidate.shape[-1])], axis=1
    )
    return tf.concat([x.request * request, x.candidate * candidate], axis=1)
