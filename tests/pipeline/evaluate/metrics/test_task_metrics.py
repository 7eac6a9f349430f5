"""The combiner of a task's metrics: however a runner divides the examples, it comes to the same."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

ROWS = 10_000


@pytest.fixture(scope="module")
def combiner() -> Any:
    from tensorflow_model_analysis.proto.config_pb2 import EvalConfig

    from pipeline.evaluate.metrics.task_metrics import TaskMetrics

    place = {"model_names": [""], "output_names": ["click"]}
    [computation, _] = TaskMetrics(kind="binary").computations(eval_config=EvalConfig(), **place)
    return computation.combiner


@pytest.fixture(scope="module")
def elements() -> list[Any]:
    """More than the combiner sums at once; a fifth lie outside the sample space, with labels and scores that would show."""
    from tensorflow_model_analysis.metrics.metric_types import StandardMetricInputs

    random = np.random.default_rng(1)
    inside = random.random(ROWS) < 0.8
    labels = np.where(inside, random.random(ROWS) < 0.3, 1.0)
    scores = np.where(inside, random.random(ROWS), 0.0)
    return [
        StandardMetricInputs(
            features={
                "click": np.array([labels[row], inside[row], scores[row]]),
                "part of the jackknife": np.array(row % 20),
            }
        )
        for row in range(ROWS)
    ]


def accumulated(combiner: Any, elements: list[Any]) -> Any:
    accumulator = combiner.create_accumulator()
    for element in elements:
        accumulator = combiner.add_input(accumulator, element)
    return accumulator


def outputs(combiner: Any, accumulator: Any) -> dict[str, Any]:
    return {key.name: value for key, value in combiner.extract_output(accumulator).items()}


@pytest.fixture(scope="module")
def expected(combiner: Any, elements: list[Any]) -> dict[str, Any]:
    return outputs(combiner, accumulated(combiner, elements))


def test_it_counts_the_examples_of_the_sample_space(
    expected: dict[str, Any], elements: list[Any]
) -> None:
    assert expected["example_count"] == sum(element.features["click"][1] for element in elements)


def test_it_measures_them_alone(expected: dict[str, Any], elements: list[Any]) -> None:
    rows = [element.features["click"] for element in elements]
    losses = [-math.log(score if label else 1.0 - score) for label, inside, score in rows if inside]
    assert expected["_log_loss"][0] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("form", [list, iter], ids=["list", "iterator"])
def test_accumulators_merge_whatever_form_a_runner_gives_them_in(
    combiner: Any, elements: list[Any], expected: dict[str, Any], form: Any
) -> None:
    shares = [accumulated(combiner, elements[start::5]) for start in range(5)]
    # As between workers: compacted, pickled, and merged in two steps.
    shares[0] = pickle.loads(pickle.dumps(combiner.compact(shares[0])))
    first = combiner.merge_accumulators(form(shares[:3]))
    found = outputs(combiner, combiner.merge_accumulators(form([first, *shares[3:]])))
    assert found.keys() == expected.keys()
    for name in ("example_count", "_auc", "_log_loss", "_calibration"):
        assert found[name] == pytest.approx(expected[name])


def test_an_empty_accumulator_changes_nothing(
    combiner: Any, elements: list[Any], expected: dict[str, Any]
) -> None:
    merged = combiner.merge_accumulators(
        [combiner.create_accumulator(), accumulated(combiner, elements)]
    )
    assert outputs(combiner, merged)["_auc"] == pytest.approx(expected["_auc"])
