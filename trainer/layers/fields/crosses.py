"""Crosses of fields before a sharing architecture: the cross network of DCN V2."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.flat_input import FlatInput, input_width, product


@tf.keras.utils.register_keras_serializable("fulcrum")
class CrossNetwork(tf.keras.layers.Layer):
    """x_{l+1} = x_0 ⊙ (W_l x_l + b_l) + x_l, from the flattened field embeddings x_0.

    After L layers a column is a polynomial of degree L + 1 in the columns of x_0. W_l is a whole
    matrix (I, I), or W_l = U_l V_l of rank r. Of a `FlatInput`, the first product reads the request
    once; what comes after it differs from candidate to candidate.

    Args:
        layers: L, the number of layers.
        rank: r; None for whole matrices. Defaults to None.

    Call arguments:
        x: the flattened field embeddings, (B, I), or a `FlatInput`.

    Returns:
        x_L, (B, I).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import CrossNetwork, FlatInput
        >>> one_user, candidates = tf.ones([1, 8]), tf.ones([100, 4])
        >>> CrossNetwork(layers=2, rank=3)(FlatInput(one_user, candidates)).shape
        TensorShape([100, 12])

    References:
        Wang et al., DCN V2: improved deep & cross network, WWW 2021, Eq 1 and 2:
        https://arxiv.org/abs/2008.13535
    """

    def __init__(self, layers: int, rank: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if layers < 1 or (rank is not None and rank < 1):
            raise ValueError(
                "`layers` and `rank` must be at least 1, or `rank` None. "
                f"Received: layers={layers}, rank={rank}"
            )
        self.layers, self.rank = layers, rank

    def build(self, input_shape: Any) -> None:
        width = input_width(input_shape)
        self.width = width
        # A layer's matrices, in the order in which they multiply x_l.
        shapes = [(width, width)] if self.rank is None else [(width, self.rank), (self.rank, width)]
        self.kernels = [
            [
                self.add_weight(
                    name=f"kernel_{layer}_{place}",
                    shape=shape,
                    initializer=side_by_side_glorot(*shape),
                )
                for place, shape in enumerate(shapes)
            ]
            for layer in range(self.layers)
        ]
        self.biases = [
            self.add_weight(name=f"bias_{layer}", shape=(width,), initializer="zeros")
            for layer in range(self.layers)
        ]
        self.built = True

    def call(self, x: tf.Tensor | FlatInput) -> tf.Tensor:
        first = crossed = _rows(x)
        for layer, (kernels, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            h = product(x if layer == 0 else crossed, kernels[0])
            for kernel in kernels[1:]:
                h = tf.matmul(h, kernel)
            crossed = first * tf.nn.bias_add(h, bias) + crossed
        return crossed

    def matrices(self) -> list[npt.NDArray[np.float32]]:
        """Return W_l of each layer, (I, I): row i says what multiplies column i of x_0."""
        result = []
        for kernels in self.kernels:
            whole = kernels[0].numpy()
            for kernel in kernels[1:]:
                whole = whole @ kernel.numpy()
            result.append(whole.T)
        return result

    def multiplications(self, request_width: int) -> tuple[int, int]:
        """Count the multiplications of a request and of a candidate.

        Args:
            request_width: the number of columns of the request side.
        """
        inner = self.width if self.rank is None else self.rank
        a_layer = self.width * inner + (0 if self.rank is None else inner * self.width) + self.width
        of_request = request_width * inner
        return of_request, self.layers * a_layer - of_request

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": self.layers, "rank": self.rank}


def _rows(x: tf.Tensor | FlatInput) -> tf.Tensor:
    """Return the input as one tensor, (B, I); the single row of a request is repeated."""
    if not isinstance(x, FlatInput):
        return x
    request = x.request
    if request.shape[0] == 1:
        request = tf.broadcast_to(request, [tf.shape(x.candidate)[0], request.shape[1]])
    return tf.concat([request, x.candidate], axis=1)
