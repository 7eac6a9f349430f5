"""Scores of a model that saw down-sampled negatives are those of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC: dict[str, Any] = {
    "name": "tiny",
    "keys": {"request": "r"},
    "logs": {"exposures": {"path": "x", "format": "jsonl"}},
    "split": {"evaluation_files": ["x"]},
    "sampling": {"negative_rate": 0.1},
    "fields": {"item": {"side": "item", "kind": "categorical"}},
    "tasks": {
        "click": {
            "kind": "binary",
            "label": {"rule": "event", "column": "c"},
            "metric": "auc",
            "threshold": 0.5,
            "tolerance": 0.1,
        },
        "watch": {
            "kind": "regression",
            "label": {"rule": "column", "column": "w"},
            "metric": "mse",
            "threshold": 1,
            "tolerance": 1,
        },
    },
    "ranking_formula": {"weights": {}},
}


def test_a_probability_p_becomes_p_r_over_1_minus_p_plus_r_p() -> None:
    import tensorflow as tf

    from trainer.export.ranking_score import correct_sampling

    # p = 0.5 at r = 0.1: 0.05 / (0.5 + 0.05) = 1/11. p = 0.8 at r = 0.25: 0.2 / (0.2 + 0.2) = 1/2.
    logits = {
        "a": tf.constant([0.0]),
        "b": tf.constant([np.log(4.0)], tf.float32),
        "c": tf.constant([0.3]),
    }
    undone = correct_sampling(logits, {"a": 0.1, "b": 0.25})
    assert tf.sigmoid(undone["a"]).numpy() == pytest.approx([1 / 11])
    assert tf.sigmoid(undone["b"]).numpy() == pytest.approx([1 / 2])
    assert undone["c"].numpy() == pytest.approx([0.3])


def test_the_exported_model_restores_the_calibration_that_sampling_took() -> None:
    import tensorflow as tf

    from feature_spec.spec import FeatureSpec
    from pipeline.ingest.examples.sampling import sampled
    from pipeline.ingest.formats.record_batch import RecordRows
    from pipeline.ingest.labelling.labelled_rows import RowLabeller
    from pipeline.ingest.settings.ingest_config import IngestSettings
    from trainer.export.saved_model import ExportedRanker

    spec = FeatureSpec.model_validate(SPEC)
    settings = IngestSettings.from_spec(spec)
    rng = np.random.default_rng(0)
    # Three items of known click probabilities; the log says what was clicked.
    true = np.array([0.02, 0.1, 0.4])
    items = rng.integers(3, size=60_000)
    clicked = rng.random(len(items)) < true[items]
    records = [
        {"r": f"r{row}", "item": f"{item}", "c": int(click), "w": 1.0}
        for row, (item, click) in enumerate(zip(items, clicked, strict=True))
    ]
    rows, _ = RowLabeller(settings)(
        RecordRows(records), "log", 0, list(range(len(records))), [b""] * len(records)
    )
    kept = sampled(rows, "train", settings)
    assert kept.num_rows < 0.3 * rows.num_rows

    # The best model of the sampled log: each item's share of clicks among what was kept.
    labels = kept.column("label.click").to_numpy()
    inside = ~np.isnan(labels)
    item_of = np.array([int(item) for item in kept.column("field.item").to_pylist()])
    learnt = np.array([labels[inside & (item_of == item)].mean() for item in range(3)])
    assert np.all(learnt > 1.5 * true)

    class Network(tf.Module):
        def scores(self, logits: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {"click": tf.sigmoid(logits["click"]), "watch": logits["watch"]}

    ranker = ExportedRanker(spec, Network(), tf.Module())
    logits = {
        "click": tf.constant(np.log(learnt / (1 - learnt)), tf.float32),
        "watch": tf.constant([1.0, 2.0, 3.0]),
    }
    scores = ranker.network.scores(ranker._corrected(logits, {}))
    # Some 400, 2,000 and 8,000 clicks: standard errors of 5, 2 and 1 percent, and negatives' of as
    # much again.
    assert scores["click"].numpy() == pytest.approx(true, rel=0.15)
    calibration = scores["click"].numpy()[items].mean() / clicked.mean()
    assert calibration == pytest.approx(1.0, abs=0.02)
    assert scores["watch"].numpy().tolist() == [1.0, 2.0, 3.0]
