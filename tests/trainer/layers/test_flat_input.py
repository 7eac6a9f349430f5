"""The split of the first matrix product."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.flat_input import FlatInput, input_width, product  # noqa: E402

pytestmark = pytest.mark.tensorflow


def test_the_request_counts_once_for_all_candidates():
    # [1 2 | c] · [[1], [10], [100]] = 21 + 100 c for candidates 3 and 4.
    x = FlatInput(tf.constant([[1.0, 2.0]]), tf.constant([[3.0], [4.0]]))
    kernel = tf.constant([[1.0], [10.0], [100.0]])
    assert product(x, kernel).numpy().tolist() == [[321.0], [421.0]]


def test_split_and_concatenated_input_give_the_same_product():
    random = np.random.default_rng(0)
    request, candidate = (
        random.normal(size=(1, 5)).astype("f4"),
        random.normal(size=(7, 3)).astype("f4"),
    )
    kernel = tf.constant(random.normal(size=(8, 4)).astype("f4"))
    whole = np.concatenate([np.repeat(request, 7, axis=0), candidate], axis=1)
    split = product(FlatInput(tf.constant(request), tf.constant(candidate)), kernel)
    np.testing.assert_allclose(split, product(tf.constant(whole), kernel), atol=1e-5)


def test_the_width_is_that_of_both_sides():
    assert input_width(FlatInput(tf.TensorShape([1, 5]), tf.TensorShape([None, 3]))) == 8
    assert input_width(tf.TensorShape([None, 6])) == 6


def test_a_bias_counts_once_however_the_input_is_split():
    kernel, bias = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([10.0, 20.0])
    request, candidate = tf.constant([[2.0]]), tf.constant([[1.0], [5.0]])
    # 2·[1, 2] + [10, 20] = [12, 24]; the candidates add 1·[3, 4] and 5·[3, 4].
    expected = [[15.0, 28.0], [27.0, 44.0]]
    assert product(FlatInput(request, candidate), kernel, bias).numpy().tolist() == expected
    joined = tf.concat([tf.repeat(request, 2, axis=0), candidate], axis=1)
    assert product(joined, kernel, bias).numpy().tolist() == expected
    assert product(FlatInput(joined[:, :1], candidate), kernel, bias).numpy().tolist() == expected


@pytest.mark.parametrize("request_width", [0, 2, 5])
@pytest.mark.parametrize("rows", [1, 4])
def test_a_side_without_columns_keeps_the_bias_in_a_graph_too(request_width, rows):
    kernel, bias = tf.random.normal([5, 3]), tf.constant([1.0, -1.0, 2.0])
    request = tf.random.normal([rows, request_width])
    candidate = tf.random.normal([4, 5 - request_width])

    @tf.function
    def computed(request, candidate):
        # TensorFlow fuses the three, and gave 0 where a product had no columns.
        return tf.nn.relu(product(FlatInput(request, candidate), kernel, bias))

    whole = tf.concat([tf.repeat(request, 4 // rows, axis=0), candidate], axis=1)
    expected = tf.nn.relu(tf.matmul(whole, kernel) + bias)
    np.testing.assert_allclose(computed(request, candidate), expected, atol=1e-5)
