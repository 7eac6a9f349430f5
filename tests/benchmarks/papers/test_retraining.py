"""A network that is trained again forgets what it learnt before."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module", params=["shared_bottom", "ple_stch"])
def scores(request):
    """Scores of seeds 1, 2 and 1 again, by one network."""
    from benchmarks.papers.contenders import CONTENDERS
    from benchmarks.papers.data_sets.synthetic import synthetic_workload
    from benchmarks.papers.training import train

    workload = synthetic_workload(0.5, 2000, seed=0)
    settings = CONTENDERS[request.param].settings({"epochs": 2, "batch_size": 100}, {}, seed=1)
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


def test_a_variant_differs_from_its_model_by_its_own_settings_alone():
    from benchmarks.papers.contenders import CONTENDERS

    model, crossed, famo = (
        CONTENDERS[name].settings({}, {"trainer": {"learning_rate": 0.003}}, seed=1)
        for name in ("ple", "ple_crossed", "ple_famo")
    )
    assert crossed.model == model.model.model_copy(update={"cross_layers": 2})
    assert crossed.trainer == model.trainer
    assert famo.model == model.model
    assert famo.trainer == model.trainer.model_copy(update={"balancing": "famo"})


def test_a_variant_that_names_fields_reads_those_of_the_data_set():
    from benchmarks.papers.contenders import CONTENDERS
    from benchmarks.papers.data_sets.sources import SOURCES

    personalised = [name for name, one in CONTENDERS.items() if one.names_fields]
    for source in SOURCES.values():
        for name in source.named:
            assert name in personalised
            settings = CONTENDERS[name].settings({}, {}, 1, source.named[name])
            for fields in settings.model.named_fields.values():
                assert set(fields) <= set(source.spec().fields)
