"""Training with attention: candidates learn to look at their own past."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.fitting import fit  # noqa: E402
from trainer.inputs.examples import Examples  # noqa: E402
from trainer.layers.field_embedding import SlotLayout  # noqa: E402
from trainer.network.attention_layout import AttentionLayout  # noqa: E402
from trainer.network.network_layout import NetworkLayout  # noqa: E402

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

LENGTH, ITEMS, FIRST = 4, 12, 2
ITEM, PAST = SlotLayout(0, 1, 8, 0), SlotLayout(0, LENGTH, 8, 0)


def rows(count, seed):
    """A click follows where the item is in the past, as it is in every other row."""
    random = np.random.default_rng(seed)
    past = random.permuted(np.tile(np.arange(FIRST, FIRST + ITEMS), (count, 1)), axis=1)
    inside = np.arange(count) % 2 == 0
    item = np.where(inside, past[:, 1], past[:, LENGTH])
    return Examples(
        {
            "request_ids": past[:, :LENGTH],
            "candidate_ids": item[:, None],
            "labels": inside[:, None].astype("f4"),
            "masks": np.ones((count, 1), "f4"),
        }
    )


@pytest.mark.parametrize("pooling", ["dot_product", "activation_unit"])
def test_candidates_learn_to_look_at_their_own_past(pooling, tasks, settings, tmp_path):
    attention = AttentionLayout("past", (PAST,), (("candidate", ITEM),), (), pooling, 2)
    layout = NetworkLayout(
        table_rows={8: FIRST + ITEMS},
        slots={"request": (), "candidate": (ITEM,)},
        numbers={"request": 0, "candidate": 0},
        tasks={"click": "binary"},
        attentions=(attention,),
    )
    chosen = settings("shared_bottom", epochs=6, patience=6, learning_rate=0.01)
    train, fresh = rows(20_000, 0), rows(1_000, 1)
    network = fit(
        layout, {"click": tasks["click"]}, chosen, train, fresh, checkpoint_folder=tmp_path
    )
    features = {name: tf.constant(values) for name, values in rows(1_000, 1).columns.items()}
    logits = network(features)["click"].numpy()
    right = (logits > 0) == (features["labels"].numpy()[:, 0] > 0)
    assert right.mean() > 0.95
