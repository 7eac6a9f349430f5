"""Target attention: a candidate weighs the entries of a history, and reads their weighted sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.noise import Dropout


class History(NamedTuple):
    """A history and the candidates that look at it.

    Attributes:
        candidates: c, the candidates' embeddings, (B, E).
        entries: e, the embeddings of the entries in the same fields, (R, L, E). R is 1 for a
            ranking request with C candidates, and B otherwise.
        marks: embeddings of what entries have and candidates have not, such as their age,
            (R, L, M). M may be 0.
        mask: the entries that count, boolean: (R, L), or (B, L) if candidates differ in theirs.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import DotProductAttention, History
        >>> history = History(
        ...     candidates=tf.ones([100, 8]),
        ...     entries=tf.ones([1, 50, 8]),
        ...     marks=tf.zeros([1, 50, 0]),
        ...     mask=tf.ones([1, 50], tf.bool),
        ... )
        >>> DotProductAttention(units=8, heads=2)(history).shape
        TensorShape([100, 8])
    """

    candidates: tf.Tensor
    entries: tf.Tensor
    marks: tf.Tensor
    mask: tf.Tensor

    @property
    def described(self) -> tf.Tensor:
        """The entries with their marks, [e; m], (R, L, E + M)."""
        return tf.concat([self.entries, self.marks], axis=2) if self.has_marks else self.entries

    @property
    def has_marks(self) -> bool:
        """Whether entries have marks."""
        return int(self.marks.shape[-1]) > 0

    @property
    def of_one_request(self) -> bool:
        """Whether all candidates look at one history."""
        return self.entries.shape[0] == 1


@tf.keras.utils.register_keras_serializable("fulcrum")
class DotProductAttention(tf.keras.layers.Layer):
    """Heads of softmax attention with a bias for age and feedback.

    Head h weighs entry j by α_hj = softmax_j((W_q c)_h · (W_k [e_j; m_j])_h / √d + b_h · m_j), and
    reads Σ_j α_hj (W_v [e_j; m_j])_h; d is the width of a head. This is scaled dot-product
    attention (Vaswani et al., section 3.2) with the candidate as query; b makes the time gap count
    whatever the candidate. Where no entry counts, the result is 0.

    The weights are computed in float32 whatever the precision of the products. In a ranking
    request keys and values are computed once.

    Args:
        units: the units of all heads together, a multiple of `heads`.
        heads: the number of heads. Defaults to 4.
        dropout_rate: the share of units of the result dropped in training. Defaults to 0.

    Call arguments:
        history: a `History`.

    Returns:
        The results of all heads, (B, units).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import DotProductAttention, History
        >>> attention = DotProductAttention(units=8, heads=2)
        >>> history = History(
        ...     candidates=tf.ones([3, 6]),
        ...     entries=tf.ones([3, 5, 6]),
        ...     marks=tf.ones([3, 5, 2]),
        ...     mask=tf.sequence_mask([5, 2, 0], 5),
        ... )
        >>> attention(history).shape
        TensorShape([3, 8])
        >>> tf.reduce_sum(attention.entry_weights(history), axis=[1, 2]).numpy().round(3).tolist()
        [2.0, 2.0, 0.0]

    References:
        Vaswani et al., Attention is all you need, NeurIPS 2017: https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self, units: int, heads: int = 4, dropout_rate: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if heads < 1 or units < 1 or units % heads:
            raise ValueError(
                "`units` and `heads` must be at least 1, and `units` a multiple of `heads`. "
                f"Received: {units}, {heads}"
            )
        self.units, self.heads, self.dropout_rate = units, heads, dropout_rate
        self.dropout = Dropout(dropout_rate)

    def build(self, input_shape: History) -> None:
        width, marks = int(input_shape.candidates[-1]), int(input_shape.marks[-1])
        size = self.units // self.heads
        self.query, self.key, self.value = (
            self.add_weight(
                name=f"{name}_kernel",
                shape=(inputs, self.heads, size),
                initializer=side_by_side_glorot(inputs, size),
            )
            for name, inputs in (("query", width), ("key", width + marks), ("value", width + marks))
        )
        self.mark_bias = (
            self.add_weight(
                name="mark_bias",
                shape=(marks, self.heads),
                initializer=side_by_side_glorot(marks, 1),
            )
            if marks
            else None
        )
        self.built = True

    def call(self, history: History, training: bool | None = None) -> tf.Tensor:
        weights, described = self.entry_weights(history), history.described
        # Either order of the products gives the same. Values are computed once for one request; for
        # a history each, what the heads read takes fewer multiplications.
        if history.of_one_request:
            values = tf.einsum("le,ehd->lhd", described[0], self.value)
            result = tf.einsum("bhl,lhd->bhd", weights, values)
        else:
            sums = tf.einsum("bhl,ble->bhe", weights, described)
            result = tf.einsum("bhe,ehd->bhd", sums, self.value)
        return self.dropout(tf.reshape(result, [-1, self.units]), training=training)

    def entry_weights(self, history: History) -> tf.Tensor:
        """Return α, (B, H, L): 0 where an entry does not count."""
        described = history.described
        length, scale = described.shape[1], 1.0 / math.sqrt(self.units // self.heads)
        if history.of_one_request:
            # W_q and the keys are one matrix for all candidates.
            keys = tf.einsum("le,ehd->lhd", described[0], self.key)
            kernel = scale * tf.einsum("ehd,lhd->ehl", self.query, keys)
            scores = tf.matmul(history.candidates, tf.reshape(kernel, [-1, self.heads * length]))
            scores = tf.reshape(scores, [-1, self.heads, length])
            if self.mark_bias is not None:
                scores += tf.einsum("lm,mh->hl", history.marks[0], self.mark_bias)
        else:
            query = tf.einsum("be,ehd->bhd", history.candidates, self.query)
            wanted = scale * tf.einsum("bhd,ehd->bhe", query, self.key)
            if self.mark_bias is not None:
                before = described.shape[2] - self.mark_bias.shape[0]
                wanted += tf.pad(tf.transpose(self.mark_bias), [[0, 0], [before, 0]])
            scores = tf.einsum("bhe,ble->bhl", wanted, described)
        weights = masked_softmax(tf.cast(scores, tf.float32), history.mask[:, tf.newaxis])
        return tf.cast(weights, described.dtype)

    def mean_weights(self, history: History) -> tf.Tensor:
        """Return the weight of each entry, averaged over heads, (B, L)."""
        return tf.reduce_mean(self.entry_weights(history), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "heads": self.heads,
            "dropout_rate": self.dropout_rate,
        }


def masked_softmax(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the softmax of scores over the entries that count, float32 (…, L).

    The others weigh exactly 0, also where none counts, and get no gradient.

    Args:
        scores: float32, (…, L).
        mask: the entries that count, boolean, of a shape that broadcasts to that of `scores`.
    """
    counts = tf.cast(mask, scores.dtype)
    # No score reaches this, and its exponential is 0 beside any score.
    hidden = tf.where(mask, scores, tf.constant(-1e9, scores.dtype))
    return tf.nn.softmax(hidden) * counts


@tf.keras.utils.register_keras_serializable("fulcrum")
class ActivationUnit(tf.keras.layers.Layer):
    """DIN's local activation unit: a network weighs each entry for each candidate.

    v(c) = Σ_j a(e_j, c) [e_j; m_j] with a = MLP([e_j; c; e_j − c; e_j ⊙ c; m_j]) (DIN, Eq 3). The
    weights have no softmax, so that the sum tells how much of a history suits the candidate.
    Entries that do not count weigh 0. The hidden layers are ReLU layers: Dice, DIN's own
    activation, would compute other numbers in serving than in training. DIN has no marks.

    The first layer is linear in its parts, so it is (W₁ + W₃) e_j + (W₂ − W₃) c + W₄ (e_j ⊙ c), by
    `entry_kernel`, `candidate_kernel` and `product_kernel`. In a ranking request the entries' term
    is computed once, and so is the matrix that a candidate is multiplied by.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units of the result dropped in training. Defaults to 0.

    Call arguments:
        history: a `History`.

    Returns:
        The weighted sums, (B, E + M).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import ActivationUnit, History
        >>> history = History(
        ...     candidates=tf.ones([3, 6]),
        ...     entries=tf.ones([3, 5, 6]),
        ...     marks=tf.ones([3, 5, 2]),
        ...     mask=tf.sequence_mask([5, 2, 0], 5),
        ... )
        >>> ActivationUnit(units=[16])(history).shape
        TensorShape([3, 8])

    References:
        DIN, Zhou et al., KDD 2018: https://doi.org/10.1145/3219819.3219823
    """

    def __init__(self, units: Sequence[int], dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not units or min(units) < 1:
            raise ValueError(
                f"`units` must hold a number of units, at least 1, for each hidden layer. "
                f"Received: {list(units)}"
            )
        self.units, self.dropout_rate = tuple(units), dropout_rate
        self.rest = [tf.keras.layers.Dense(width, activation="relu") for width in self.units[1:]]
        self.weight = tf.keras.layers.Dense(1)
        self.dropout = Dropout(dropout_rate)

    def build(self, input_shape: History) -> None:
        width, marks, units = (
            int(input_shape.candidates[-1]),
            int(input_shape.marks[-1]),
            self.units[0],
        )
        self.entry_kernel, self.candidate_kernel, self.product_kernel = (
            self.add_weight(
                name=f"{name}_kernel",
                shape=(inputs, units),
                initializer=side_by_side_glorot(3 * width + marks, units),
            )
            for name, inputs in (
                ("entry", width + marks),
                ("candidate", width),
                ("product", width),
            )
        )
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.built = True

    def call(self, history: History, training: bool | None = None) -> tf.Tensor:
        weights, described = self.entry_weights(history), history.described
        result = (
            tf.matmul(weights, described[0])
            if history.of_one_request
            else tf.einsum("bl,ble->be", weights, described)
        )
        return self.dropout(result, training=training)

    def entry_weights(self, history: History) -> tf.Tensor:
        """Return a, (B, L): 0 where an entry does not count."""
        units, length = self.units[0], history.entries.shape[1]
        of_entries = tf.einsum("rle,eu->rlu", history.described, self.entry_kernel) + self.bias
        if history.of_one_request:
            # W₂ − W₃ and W₄ with the entries are one matrix for all candidates, and the entries'
            # own part is its bias.
            scaled = history.entries[0, :, :, tf.newaxis] * self.product_kernel
            kernel = tf.transpose(scaled + self.candidate_kernel, [1, 0, 2])
            products = tf.matmul(history.candidates, tf.reshape(kernel, [-1, length * units]))
            sums = tf.nn.bias_add(products, tf.reshape(of_entries, [length * units]))
            h = tf.reshape(tf.nn.relu(sums), [-1, length, units])
        else:
            of_candidates = tf.matmul(history.candidates, self.candidate_kernel)
            both = history.entries * history.candidates[:, tf.newaxis]
            products = tf.einsum("ble,eu->blu", both, self.product_kernel)
            h = tf.nn.relu(of_entries + of_candidates[:, tf.newaxis] + products)
        for layer in self.rest:
            h = layer(h)
        weights = tf.squeeze(self.weight(h), axis=2)
        return tf.where(history.mask, weights, tf.zeros_like(weights))

    def mean_weights(self, history: History) -> tf.Tensor:
        """Return the weight of each entry, (B, L), as `DotProductAttention` does."""
        return self.entry_weights(history)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "dropout_rate": self.dropout_rate}
