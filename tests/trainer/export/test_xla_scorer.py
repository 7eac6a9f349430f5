"""Numbers of candidates that a ranking request is padded to."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("candidates", "padded"),
    # Beyond the largest of 1, 100 and 500, multiples of it.
    [
        (0, 1),
        (1, 1),
        (2, 100),
        (100, 100),
        (101, 500),
        (500, 500),
        (501, 1000),
        (1000, 1000),
        (1001, 1500),
    ],
)
def test_candidates_are_padded_to_the_next_number_or_to_a_multiple_of_the_largest(
    candidates, padded
):
    import tensorflow as tf

    from trainer.export.xla_scorer import padded_count

    assert int(padded_count(tf.constant(candidates), [500, 1, 100])) == padded
