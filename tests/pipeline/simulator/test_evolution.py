"""Moods and trends change slowly, and only earlier feedback tells of them."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_spec.names import label_name
from pipeline.simulator.best_metrics import WITHOUT_HISTORY
from pipeline.simulator.evolution import draw_states
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings


def test_a_day_resembles_the_day_before_and_keeps_its_variance() -> None:
    settings = SimulationSettings(days=40, rows_per_day=200_000)
    states = islice(draw_states(settings, np.random.default_rng(0)), 4)
    first, second, _, fourth = (state.moods.ravel() for state in states)
    # 50,000 values: four standard deviations of a correlation are below 0.02.
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.7, abs=0.02)
    assert np.corrcoef(first, fourth)[0, 1] == pytest.approx(0.7**3, abs=0.02)
    assert fourth.std() == pytest.approx(1.0, abs=0.02)


def test_what_a_user_did_yesterday_in_a_category_foretells_what_no_field_does(
    tmp_path: Path,
) -> None:
    simulate_logs(SimulationSettings(days=2, rows_per_day=25_000, seed=2), tmp_path)
    category = {row["video_id"]: row.get("category") for row in _rows(tmp_path / "videos.jsonl.gz")}
    surprises: list[dict[tuple[object, object], list[float]]] = []
    for log, truth in zip(
        sorted(tmp_path.glob("day=*/*")), sorted(tmp_path.glob("truth/*.parquet")), strict=True
    ):
        table = pq.read_table(truth).to_pydict()
        of_day: dict[tuple[object, object], list[float]] = {}
        for row, label, expected in zip(
            _rows(log), table[label_name("vtr")], table["vtr" + WITHOUT_HISTORY], strict=True
        ):
            of_day.setdefault((row["user_id"], category[row["video_id"]]), []).append(
                label - expected
            )
        surprises.append(of_day)
    yesterday, today = surprises
    pairs = [(np.mean(yesterday[key]), np.mean(today[key])) for key in yesterday.keys() & today]
    # Four standard deviations of a correlation of 2,500 or more pairs are 0.08 at most.
    assert len(pairs) >= 2_500
    assert np.corrcoef(np.transpose(pairs))[0, 1] > 0.08


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
