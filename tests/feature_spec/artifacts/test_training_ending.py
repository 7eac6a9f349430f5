"""What is advised after a training follows from what stopped it."""

from __future__ import annotations

from feature_spec.artifacts.training_ending import TrainingEnding


def _advice(epochs: int, best: int, stopped_by: str) -> str:
    ending = {"epochs": epochs, "best_epoch": best, "stopped_by": stopped_by, "patience": 2}
    return TrainingEnding.model_validate(ending).advice


def test_a_training_that_its_epochs_ended_at_its_best_asks_for_more() -> None:
    assert _advice(5, 5, "epochs") == (
        "The training ended at trainer.epochs (5) with its best epoch: more epochs may help"
    )
    assert _advice(5, 4, "epochs") == ""


def test_a_training_that_patience_ended_does_not_ask_for_more_epochs() -> None:
    assert _advice(5, 3, "patience") == ""
    assert _advice(3, 1, "patience").startswith("No epoch after the first was better, and trainer.")
    assert "more epochs change nothing" in _advice(3, 1, "patience")
