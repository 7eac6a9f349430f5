"""A search on simulated logs, whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_spec.loading import load_spec
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from trainer.formula_search.formula_search import SearchSettings, search_formula
from trainer.formula_search.groups import competing_groups
from trainer.formula_search.logged_exposures import LoggedExposures, log_factors
from trainer.formula_search.objective import Objective
from trainer.formula_search.replay import Replay


@pytest.mark.slow
def test_weights_found_on_observed_shares_bring_most_of_what_the_best_order_by_true_expectations_would(
    tmp_path,
):
    simulate_logs(SimulationSettings(days=2, rows_per_day=20_000, seed=3), tmp_path)
    truth = pq.read_table(sorted(tmp_path.glob("truth/*.parquet"))).to_pydict()
    spec = load_spec("short_video")
    # The truth names no durations.
    spec = spec.model_copy(
        update={"ranking_formula": spec.ranking_formula.model_copy(update={"duration": None})}
    )
    size = len(truth["request_id"])
    factors = log_factors(spec.ranking_formula, {task: truth[task] for task in spec.tasks}, None)
    exposures = LoggedExposures(
        log_factors=factors,
        ranking_scores=np.zeros(size),
        gains=np.array(truth["label_of_shr"], float)[:, np.newaxis],
        request_keys=np.array(truth["request_id"]).astype(np.bytes_),
        user_keys=np.zeros(size, "S1"),
        days=np.zeros(size, np.int64),
    )
    found = search_formula(
        exposures, spec, [Objective("shr")], SearchSettings(top_k=3, trials=200), folder="model"
    ).found  # fmt: skip
    # Where a video plays after a click only, a share needs the click too.
    expected = np.array(truth["shr"]) * np.where(truth["mask_of_ctr"], truth["ctr"], 1.0)
    groups = competing_groups(exposures, "request", smallest=2)

    def true_value(of_factors, weights):
        replay = Replay(
            of_factors[groups.rows], expected[groups.rows, np.newaxis], groups.group, top_k=3, discount="log2"
        )  # fmt: skip
        return replay.values(np.array(weights)).mean()

    current = true_value(factors, [spec.ranking_formula.weights[task] for task in spec.tasks])
    best = true_value(np.log(expected)[:, np.newaxis], [1.0])
    assert found.held_out[0].verdict == "gain"
    assert true_value(factors, list(found.weights.values())) - current > 0.8 * (best - current)
