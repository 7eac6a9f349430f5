"""FSCM: sub-networks that choose their fields (MSSM)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.flat_input import FlatInput, input_width

# The mean with which embeddings should start under `masks="paper"`; see `FSCM._first_queries`.
INITIAL_EMBEDDING = 0.05
# The slope of a mask that no sub-network opens, in the backward pass of training.
LEAK = 0.1

Masks: TypeAlias = Literal["biased", "paper"]


@tf.keras.utils.register_keras_serializable("fulcrum")
class FSCM(tf.keras.layers.Layer):
    """Sub-networks that choose their fields, anew for every row (MSSM, section 3.2).

    w_ij = relu(tanh(g_ij · e_i + a_ij)) masks field i for sub-network j; E_j = concat_i(w_ij e_i);
    and u_j = relu(W_j E_j + b_j). The activation and the bias b make u_j the sub-network of
    SNR-Trans where all masks are 1; the paper prints the product only.

    The paper prints no bias a, either. With it, embeddings may start around 0, all fields begin
    open (a = 1), and queries are drawn for each sub-network. A value that no sub-network reads
    would never learn again; so in training the gradient of its scores is `LEAK` times that of its
    masks, though the masks are 0.

    With `masks="paper"` there is no a, and no gradient where a mask is 0. Start the embeddings with
    a mean of `INITIAL_EMBEDDING` then, so that all fields begin open. Two kinds of fields have an a
    even so, because one half of them would always be masked: a field of width 1, which is a plain
    number, as a rule, and a pooled field.

    Args:
        subnetworks: J, the number of sub-networks.
        units: U, the width of each u_j.
        field_widths: D of each field, in the order of the flattened input.
        pooled_fields: the fields that attention pools from a history, by position. Defaults to
            none.
        masks: `biased` or `paper`, see above. Defaults to `biased`.

    Call arguments:
        x: a flat input, (B, I), or a `FlatInput`.
        training: whether masks that are 0 for all sub-networks have a gradient.

    Returns:
        The outputs u of all sub-networks, (B, J, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import FSCM
        >>> fscm = FSCM(subnetworks=3, units=8, field_widths=[4, 4, 2])
        >>> fscm(tf.ones([5, 10])).shape
        TensorShape([5, 3, 8])
        >>> fscm.masks(tf.ones([5, 10])).shape
        TensorShape([5, 3, 3])

    References:
        MSSM, Ding et al., SIGIR 2021: https://doi.org/10.1145/3404835.3463022
    """

    def __init__(
        self,
        subnetworks: int,
        units: int,
        field_widths: Sequence[int],
        pooled_fields: Sequence[int] = (),
        masks: Masks = "biased",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if masks not in get_args(Masks):
            raise ValueError(
                f"`masks` must be one of {', '.join(get_args(Masks))}. Received: {masks!r}"
            )
        if subnetworks < 1 or units < 1:
            raise ValueError(
                f"`subnetworks` and `units` must be at least 1. Received: {subnetworks}, {units}"
            )
        self.subnetworks, self.units, self.field_widths = subnetworks, units, tuple(field_widths)
        self.pooled_fields, self.masks_are = tuple(pooled_fields), masks

    @property
    def has_bias(self) -> list[bool]:
        """Whether the mask of each field has a bias."""
        if self.masks_are == "biased":
            return [True] * len(self.field_widths)
        return self.has_bias_in_paper

    @property
    def has_bias_in_paper(self) -> list[bool]:
        """Whether the mask of each field has a bias under `masks="paper"`."""
        return [
            width == 1 or field in self.pooled_fields
            for field, width in enumerate(self.field_widths)
        ]

    def build(self, input_shape: Any) -> None:
        width = sum(self.field_widths)
        if input_width(input_shape) != width:
            raise ValueError(
                f"the input's width must be the sum of `field_widths`, {width}. "
                f"Received: {input_width(input_shape)}"
            )
        # The names of the biased masks' weights give them the learning rate of coefficients.
        prefix = "mask_" if self.masks_are == "biased" else ""
        self.query = self.add_weight(
            name=f"{prefix}query", shape=(self.subnetworks, width), initializer=self._first_queries
        )
        self.mask_bias = self.add_weight(
            name="mask_bias" if prefix else "number_bias",
            shape=(self.subnetworks, sum(self.has_bias)),
            initializer="ones",
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.subnetworks, width, self.units),
            initializer=side_by_side_glorot(width, self.units),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.subnetworks, self.units), initializer="zeros"
        )
        self.built = True

    def _first_queries(self, shape: Sequence[int], dtype: Any = None) -> tf.Tensor:
        has_bias = np.repeat(self.has_bias, self.field_widths)
        if self.masks_are == "biased":
            # Numbers begin open for both signs, and so do pooled fields.
            looked_up = [
                width > 1 and field not in self.pooled_fields
                for field, width in enumerate(self.field_widths)
            ]
            drawn = tf.random.normal(shape, dtype=dtype)
            return tf.where(np.repeat(looked_up, self.field_widths), drawn, 0.0)
        # g · e starts near 1, because a closed mask has no gradient that could open it again.
        start = np.where(
            has_bias,
            0.0,
            1.0 / (np.repeat(self.field_widths, self.field_widths) * INITIAL_EMBEDDING),
        )
        return start.astype(np.float32) * tf.random.uniform(shape, 0.8, 1.2, dtype=dtype)

    def call(self, x: tf.Tensor | FlatInput, training: bool | None = None) -> tf.Tensor:
        if not isinstance(x, FlatInput):
            product = self._product(x, 0, len(self.field_widths), training)
            return tf.nn.relu(product + self.bias)
        # The masks of the request's fields depend on the request alone: its part is computed once.
        request_fields = self._fields_of_width(int(x.request.shape[-1]))
        request = self._product(x.request, 0, request_fields, training)
        candidate = self._product(x.candidate, request_fields, len(self.field_widths), training)
        return tf.nn.relu(request + candidate + self.bias)

    def masks(self, x: tf.Tensor) -> tf.Tensor:
        """Return the masks w of F fields: (B, I) → (B, J, F)."""
        return self._masks(x, 0, len(self.field_widths))

    def _masks(
        self, x: tf.Tensor, first: int, last: int, training: bool | None = None
    ) -> tf.Tensor:
        begin = sum(self.field_widths[:first])
        has_bias = self.has_bias
        parts, column, number = [], 0, sum(has_bias[:first])
        # Fields of one width that stand side by side are scored in one product.
        alike = zip(self.field_widths[first:last], has_bias[first:last], strict=True)
        for (width, is_biased), group in itertools.groupby(alike):
            fields = len(list(group))
            size = fields * width
            embeddings = tf.reshape(x[:, column : column + size], [-1, fields, width])
            query = tf.reshape(
                self.query[:, begin + column : begin + column + size], [-1, fields, width]
            )
            scores = tf.einsum("bfd,jfd->bjf", embeddings, query)
            if is_biased:
                scores += self.mask_bias[:, number : number + fields]
                number += fields
            parts.append(scores)
            column += size
        scores = tf.concat(parts, axis=2)
        masks = tf.nn.relu(tf.tanh(scores))
        if not training or self.masks_are == "paper":
            return masks
        # A zero whose gradient is that of the scores.
        nothing = scores - tf.stop_gradient(scores)
        closed = tf.reduce_all(scores <= 0.0, axis=1, keepdims=True)
        return masks + LEAK * tf.where(closed, nothing, 0.0)

    def _product(
        self, x: tf.Tensor, first: int, last: int, training: bool | None = None
    ) -> tf.Tensor:
        """Sum W_ji w_ij e_i over fields first … last−1: (B, their width) → (B, J, U)."""
        begin, end = sum(self.field_widths[:first]), sum(self.field_widths[:last])
        masks = self._masks(x, first, last, training)
        # Repeat the mask of a field for each of its columns.
        columns = [
            position
            for position, width in enumerate(self.field_widths[first:last])
            for _ in range(width)
        ]
        masked = tf.gather(masks, columns, axis=2) * x[:, tf.newaxis, :]
        return tf.einsum("bji,jiu->bju", masked, self.kernel[:, begin:end])

    def _fields_of_width(self, width: int) -> int:
        widths = list(itertools.accumulate(self.field_widths))
        if width not in widths:
            raise ValueError(
                "a `FlatInput` must be cut between two fields of `field_widths`, "
                f"{list(self.field_widths)}. Received: a request of width {width}"
            )
        return widths.index(width) + 1

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FSCM:
        """Make the layer of a configuration; one without `masks` has those of the paper."""
        return cls(**{"masks": "paper", **config})

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "subnetworks": self.subnetworks,
            "units": self.units,
            "field_widths": self.field_widths,
            "pooled_fields": self.pooled_fields,
            "masks": self.masks_are,
        }
