"""The flattened field embeddings, which layers and models read.

A ranking request has one user and many candidates. A `FlatInput` keeps the two sides apart, so that
the user's part of a matrix product is computed once rather than once a candidate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class FlatInput(NamedTuple):
    """The flattened field embeddings of both sides of a ranking request.

    Attributes:
        request: user and context fields, (R, I_r). R is 1 for a ranking request with C candidates,
            and B otherwise.
        candidate: item fields, (B, I_c).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import FlatInput
        >>> from fulcrum.models import MMoE
        >>> one_user, candidates = tf.ones([1, 8]), tf.ones([100, 4])
        >>> click, like = MMoE(tasks=2)(FlatInput(one_user, candidates))
        >>> click.shape
        TensorShape([100, 64])
    """

    request: tf.Tensor
    candidate: tf.Tensor


def as_flat_input(inputs: Any) -> tf.Tensor | FlatInput:
    """Return the input of a model in one piece.

    Args:
        inputs: a flat input, (B, I); a `FlatInput`; or a list of field embeddings, (B, D) each,
            which are concatenated.
    """
    if not isinstance(inputs, list):
        return inputs
    return inputs[0] if len(inputs) == 1 else tf.concat(inputs, axis=1)


def as_rows(x: tf.Tensor | FlatInput) -> tf.Tensor:
    """Return an input as one tensor, (B, I): the request's part is repeated for each candidate."""
    if not isinstance(x, FlatInput):
        return x
    request = x.request
    if request.shape[0] == 1:
        request = tf.repeat(request, tf.shape(x.candidate)[0], axis=0)
    return tf.concat([request, x.candidate], axis=1)


def input_width(shape: tf.TensorShape | FlatInput) -> int:
    """Return I, the width of a layer's input, from the shape that Keras hands to `build`."""
    if isinstance(shape, FlatInput):
        return int(shape.request[-1]) + int(shape.candidate[-1])
    return int(shape[-1])


def product(
    x: tf.Tensor | FlatInput, kernel: tf.Tensor, bias: tf.Tensor | None = None
) -> tf.Tensor:
    """Compute x · kernel + bias: (B, I) × (I, N) + (N,) → (B, N).

    For a `FlatInput` this is request · kernel[:I_r] + candidate · kernel[I_r:], so the first
    product has R rows only.
    """
    if not isinstance(x, FlatInput):
        return _biased(tf.matmul(x, kernel), bias)
    request_width = int(x.request.shape[-1])
    # TensorFlow forgets the bias of a product over 0 columns when it fuses both.
    if request_width == 0:
        return product(x.candidate, kernel, bias)
    if int(x.candidate.shape[-1]) == 0:
        of_request = _biased(tf.matmul(x.request, kernel), bias)
        return tf.broadcast_to(of_request, [tf.shape(x.candidate)[0], kernel.shape[-1]])
    of_candidates = tf.matmul(x.candidate, kernel[request_width:])
    if x.request.shape[0] != 1:
        return _biased(tf.matmul(x.request, kernel[:request_width]), bias) + of_candidates
    # XLA would copy a part of the kernel. Padding the single row with zeros costs nothing.
    row = tf.pad(x.request, [[0, 0], [0, x.candidate.shape[-1]]])
    # TensorFlow fuses a product, a bias and a ReLU, and the request's part is the same for all
    # candidates: it is a bias to them.
    return tf.nn.bias_add(of_candidates, _biased(tf.matmul(row, kernel), bias)[0])


def _biased(x: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    return x if bias is None else tf.nn.bias_add(x, bias)
