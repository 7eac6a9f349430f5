"""A training whose numbers are no numbers ends with a sentence, and none of it is the best."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.divergence import DivergenceError  # noqa: E402
from trainer.fit.fitting import fit  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def message(layout, tasks, settings, train, validation, folder):
    with pytest.raises(DivergenceError) as raised:
        fit(
            layout, tasks, settings, Examples(train), Examples(validation), checkpoint_folder=folder
        )
    assert not list(folder.glob("best/*")), "a network of no numbers is kept"
    return str(raised.value)


def with_value(features, name, value, row=100):
    values = features[name].copy()
    values[row] = value
    return {**features, name: values}


@pytest.mark.parametrize("value", [np.inf, np.nan, -np.inf])
def test_an_input_that_is_no_number_is_named(value, layout, tasks, features, settings, tmp_path):
    train = with_value(features, "candidate_numbers", value)
    text = message(layout, tasks, settings("shared_bottom"), train, features, tmp_path)
    # 256 rows are 4 steps: the row is in one of the first epoch's.
    assert text.startswith("epoch 1, step ")
    assert int(text.split("step ")[1].split(":")[0]) in range(1, 5)
    assert "the loss of click, ratio is not finite" in text
    assert "0.001 (learning_rate) and 0.1 (embedding_learning_rate)" in text
    assert f"The largest transformed inputs are: candidate number 0 {abs(value):g}, " in text


def test_a_label_that_is_no_number_names_its_task_alone(
    layout, tasks, features, settings, tmp_path
):
    train = with_value(features, "labels", [1.0, np.inf], row=1)
    text = message(layout, tasks, settings("shared_bottom"), train, features, tmp_path)
    assert "the loss of ratio is not finite" in text
    assert "label of ratio inf" in text


def test_a_learning_rate_that_breaks_weights_is_named(layout, tasks, features, settings, tmp_path):
    chosen = settings("shared_bottom", learning_rate=1e30, embedding_learning_rate=1e30)
    text = message(layout, tasks, chosen, features, features, tmp_path)
    assert "1e+30 (learning_rate)" in text


def test_a_validation_that_is_no_number_ends_the_training(
    layout, tasks, features, settings, tmp_path
):
    validation = with_value(features, "request_numbers", np.nan)
    text = message(layout, tasks, settings("shared_bottom"), features, validation, tmp_path)
    assert text.startswith("epoch 1, step 4: the validation's loss of click, ratio is not finite")
    assert "request number 0 nan" in text


def test_a_label_outside_the_sample_space_does_no_harm(layout, tasks, features, settings, tmp_path):
    masks = features["masks"].copy()
    masks[3] = [0.0, 0.0]
    without = {**features, "masks": masks}
    chosen = settings("shared_bottom", epochs=1)
    weights = []
    for number, label in enumerate([0.0, np.nan]):
        examples = Examples(with_value(without, "labels", label, row=3))
        network = fit(
            layout, tasks, chosen, examples, examples, checkpoint_folder=tmp_path / str(number)
        )
        weights.append(network.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
