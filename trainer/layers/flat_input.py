"""The flattened field embeddings, split so that a ranking request computes the user's part once, not once a candidate."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class FlatInput(NamedTuple):
    """Field embeddings, flattened, of the two sides.

    Attributes:
        request: (R, I_r), user and context fields; R is 1 for a ranking request and C candidates,
            else B.
        candidate: (B, I_c), item fields.
    """

    request: tf.Tensor
    candidate: tf.Tensor


def input_width(shape: tf.TensorShape | FlatInput) -> int:
    """I, the width of a layer's input, from the shape that Keras hands to `build`."""
    if isinstance(shape, FlatInput):
        return int(shape.request[-1]) + int(shape.candidate[-1])
    return int(shape[-1])


def product(
    x: tf.Tensor | FlatInput, kernel: tf.Tensor, bias: tf.Tensor | None = None
) -> tf.Tensor:
    """X · kernel + bias, (B, I) × (I, N) + (N,) → (B, N).

    For a `FlatInput` this is request · kernel[:I_r] + candidate · kernel[I_r:], so the first
    product is computed R times only.
    """
    if not isinstance(x, FlatInput):
        return _biased(tf.matmul(x, kernel), bias)
    request_width = x.request.shape[-1]
    of_candidates = tf.matmul(x.candidate, kernel[request_width:])
    if x.request.shape[0] != 1:
        return _biased(tf.matmul(x.request, kernel[:request_width]), bias) + of_candidates
    # XLA would copy a part of the kernel; zeros for the other part cost one row nothing.
    row = tf.pad(x.request, [[0, 0], [0, x.candidate.shape[-1]]])
    # TensorFlow computes a product, a bias and a ReLU in one pass, and what one request gives is a
    # bias to its candidates.
    return tf.nn.bias_add(of_candidates, _biased(tf.matmul(row, kernel), bias)[0])


def _biased(x: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    return x if bias is None else tf.nn.bias_add(x, bias)
