"""Inputs that an FSCM refuses; the tests of MSSM work it by its equations."""

from __future__ import annotations

import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.flat_input import FlatInput  # noqa: E402
from trainer.layers.fscm import FSCM  # noqa: E402

pytestmark = pytest.mark.tensorflow


def fscm() -> FSCM:
    return FSCM(subnetworks=2, units=3, field_widths=[4, 2, 2])


@pytest.mark.parametrize(
    "x", [tf.ones([5, 10]), tf.ones([5, 6]), FlatInput(tf.ones([1, 4]), tf.ones([5, 2]))]
)
def test_an_input_of_another_width_than_the_fields(x):
    with pytest.raises(ValueError, match=r"the sum of `field_widths`, 8. Received: (6|10)"):
        fscm()(x)


@pytest.mark.parametrize("width", [3, 5, 7])
def test_a_flat_input_that_is_cut_inside_of_a_field(width):
    with pytest.raises(ValueError, match=rf"cut between two fields .* Received: .* {width}"):
        fscm()(FlatInput(tf.ones([1, width]), tf.ones([5, 8 - width])))
