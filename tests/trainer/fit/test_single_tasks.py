"""Each task trained alone: the same network and samples, and nothing of the other tasks."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.fitting import fit  # noqa: E402
from trainer.fit.single_tasks import fit_alone  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def test_a_task_alone_is_what_a_spec_with_this_task_only_gives(
    layout, tasks, features, settings, tmp_path
):
    # What weighs the tasks against each other has no say in it.
    weighed = {
        **tasks,
        "ratio": tasks["ratio"].model_copy(
            update={"loss_weight": 7.0, "loss_weight_update_ratio": 0.5}
        ),
    }
    inputs = SimpleNamespace(
        spec=SimpleNamespace(tasks=weighed),
        layout=layout,
        examples=lambda: (Examples(features), Examples(features)),
    )
    alone = fit_alone(
        "ratio",
        inputs,
        settings("shared_bottom", balancing="gradnorm"),
        checkpoint_folder=tmp_path / "alone",
    )

    own = {**features, "labels": features["labels"][:, 1:], "masks": features["masks"][:, 1:]}
    expected = fit(
        dataclasses.replace(layout, tasks={"ratio": "regression"}),
        {"ratio": tasks["ratio"]},
        settings("shared_bottom"),
        Examples(own),
        Examples(own),
        checkpoint_folder=tmp_path / "expected",
    )
    rows = {name: tf.constant(value) for name, value in own.items()}
    np.testing.assert_allclose(
        alone(rows)["ratio"].numpy(), expected(rows)["ratio"].numpy(), atol=1e-6
    )
    assert len(alone.weights) == len(expected.weights)
