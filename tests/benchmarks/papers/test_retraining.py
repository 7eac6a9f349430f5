"""A network that is trained again forgets what it learnt before."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def scores():
    """Scores of seeds 1, 2 and 1 again, by one network."""
    from benchmarks.papers.contenders import CONTENDERS
    from benchmarks.papers.data_sets.synthetic import synthetic_workload
    from benchmarks.papers.training import train

    workload = synthetic_workload(0.5, 2000, seed=0)
    settings = CONTENDERS["shared_bottom"].settings({"epochs": 2, "batch_size": 100}, {}, seed=1)
    return [
        of["evaluation"]["y1"]
        for _, of, _, _ in train(settings, [["y1", "y2"]], [1, 2, 1], lambda _: workload)
    ]


def test_a_seed_gives_the_same_scores_whatever_was_trained_before(scores):
    first, _, again = scores
    np.testing.assert_allclose(first, again, rtol=1e-4, atol=1e-5)


def test_another_seed_gives_other_scores(scores):
    first, other, _ = scores
    assert np.abs(first - other).max() > 0.01


def test_the_single_task_model_trains_each_task_alone():
    from benchmarks.papers.contenders import task_groups

    assert task_groups("single_task", ["click", "like"]) == [["click"], ["like"]]
    assert task_groups("ple", ["click", "like"]) == [["click", "like"]]
