"""What a search found, as TFX's Tuner writes it."""

from __future__ import annotations

import json
from pathlib import Path

from feature_spec.sections import Tuner
from pipeline.run.tuning_result import read_tuning, tuning_text

TUNER = Tuner.model_validate(
    {
        "search": {
            "trainer.epochs": {"values": [1, 2]},
            "model.expert_units": {"values": [[8], [16, 8]]},
        }
    }
)
# The best one first; texts are JSON.
ROWS = [
    {"trial_id": "02", "score": 0.03, "trainer.epochs": 2, "model.expert_units": "[16, 8]"},
    {"trial_id": "00", "score": 0.01, "trainer.epochs": 1, "model.expert_units": "[8]"},
]


def test_the_best_trial_stands_beside_that_of_the_specs_own_settings(tmp_path: Path) -> None:
    (tmp_path / "tuner_results.json").write_text(json.dumps(ROWS), encoding="utf-8")
    found = read_tuning(str(tmp_path), TUNER)
    assert found.best.values == {"trainer.epochs": 2, "model.expert_units": [16, 8]}
    assert found.own is not None
    assert (found.best.objective, found.own.objective) == (0.03, 0.01)
    assert tuning_text(found) == (
        "Tuned for smallest_mtl_gain in 2 trials: 0.03000 (the spec's own settings: 0.01000) "
        "with trainer.epochs=2 model.expert_units=[16, 8]"
    )


def test_a_first_trial_without_a_result_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "tuner_results.json").write_text(json.dumps(ROWS[:1]), encoding="utf-8")
    found = read_tuning(str(tmp_path), TUNER)
    assert found.own is None
    assert "Tuned for smallest_mtl_gain in 1 trial: 0.03000 with" in tuning_text(found)
