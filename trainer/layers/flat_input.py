"""The flattened field embeddings, split so that a ranking request computes the user's part once, not once a candidate."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class FlatInput(NamedTuple):
    """Field embeddings, flattened, of the two sides.

    Attributes:
        request: (R, I_r), user and context fields; R is 1 for a ranking request and C candidates, else B.
        candidate: (B, I_c), item fields.
    """

    request: tf.Tensor
    candidate: tf.Tensor


def input_width(shape: tf.TensorShape | FlatInput) -> int:
    """I, the width of a layer's input, from the shape that Keras hands to `build`."""
    if isinstance(shape, FlatInput):
        return int(shape.request[-1]) + int(shape.candidate[-1])
    return int(shape[-1])


def product(x: tf.Tensor | FlatInput, kernel: tf.Tensor) -> tf.Tensor:
    """X · kernel, (B, I) × (I, N) → (B, N).

    For a `FlatInput` this is request · kernel[:I_r] + candidate · kernel[I_r:], so the first product is computed R times only.
    """
    if not isinstance(x, FlatInput):
        return tf.matmul(x, kernel)
    request_width = x.request.shape[-1]
    return tf.matmul(x.request, kernel[:request_width]) + tf.matmul(x.candidate, kernel[request_width:])
