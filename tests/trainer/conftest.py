"""A small system: two tasks, both sides, every kind of transformed feature, and data that can be learnt."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.settings.train_config import parse_settings


@pytest.fixture(autouse=True)
def _compiled_steps(request, monkeypatch):
    """Compile the steps of trainings of any length, as those of real logs are."""
    if request.node.get_closest_marker("tensorflow"):
        monkeypatch.setattr("trainer.fit.fitting._STEPS_WORTH_COMPILING", 0)


@pytest.fixture(scope="session")
def layout():
    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.network_layout import NetworkLayout

    return NetworkLayout(
        table_rows={4: 30, 2: 10},
        slots={
            "request": (SlotLayout(0, 1, 4, 0), SlotLayout(1, 1, 2, 0)),
            "candidate": (SlotLayout(0, 1, 4, 0), SlotLayout(1, 3, 4, 1)),
        },
        numbers={"request": 1, "candidate": 1},
        tasks={"click": "binary", "ratio": "regression"},
    )


@pytest.fixture(scope="session")
def tasks():
    from feature_spec.tasks.task import Task

    shared = {"threshold": 0.5, "tolerance": 0.1}
    return {
        "click": Task.model_validate(
            {"kind": "binary", "label": {"rule": "event", "column": "c"}, "metric": "auc", **shared}
        ),
        "ratio": Task.model_validate(
            {
                "kind": "regression",
                "label": {"rule": "column", "column": "r"},
                "metric": "mse",
                **shared,
            }
        ),
    }


@pytest.fixture(scope="session")
def features():
    """256 rows; a click follows from the request's first field, the ratio from the candidate's number."""
    random = np.random.default_rng(0)
    rows = 256
    request_ids = np.stack([random.integers(0, 30, rows), random.integers(0, 10, rows)], axis=1)
    candidate_ids = random.integers(0, 30, (rows, 4))
    numbers = random.normal(size=(rows, 1)).astype("f4")
    labels = np.stack([request_ids[:, 0] % 2, 0.5 * numbers[:, 0]], axis=1).astype("f4")
    masks = np.ones((rows, 2), "f4")
    masks[::5, 1] = 0.0
    return {
        "request_ids": request_ids,
        "request_numbers": random.normal(size=(rows, 1)).astype("f4"),
        "candidate_ids": candidate_ids,
        "candidate_numbers": numbers,
        "labels": labels,
        "masks": masks,
    }


@pytest.fixture(scope="session")
def unevenly_masked(features):
    """The features with other masks: how many rows of a task count differs from one half of a batch of 64 to the other."""
    masks = np.ones((256, 2), "f4")
    # In the first batch, the second half has no row of the second task and the first half has 5 …
    masks[5:64, 1] = 0.0
    # … in the second, neither has a row of the first task; in the third each has its own number of
    # rows.
    masks[64:128, 0] = 0.0
    masks[128:150, 0] = 0.0
    masks[170:190, 1] = 0.0
    return {**features, "masks": masks}


@pytest.fixture(scope="session")
def settings():
    """Makes settings of a small model."""

    def make(name="ple", **trainer):
        model = {"name": name, "tower_units": [8]}
        return parse_settings(model, {"batch_size": 64, "epochs": 3, **trainer})

    return make


@pytest.fixture(scope="session")
def attended_layout(layout):
    """The small system with two histories: two aligned lists with marks, and a list that is searched."""
    import dataclasses

    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.attention_layout import AttentionLayout, Search

    item, tags = layout.slots["candidate"]
    of_request = layout.slots["request"][0]
    aligned = AttentionLayout(
        name="clicked",
        values=(SlotLayout(2, 3, 4, 0), SlotLayout(5, 3, 4, 1), SlotLayout(8, 3, 4, 0)),
        counterparts=(("candidate", item), ("candidate", tags), ("request", of_request)),
        marks=(SlotLayout(11, 3, 2, 0),),
        pooling="dot_product",
        heads=5,
    )
    searched = AttentionLayout(
        name="bought",
        values=(SlotLayout(14, 4, 4, 0),),
        counterparts=(("candidate", item),),
        marks=(),
        pooling="activation_unit",
        heads=1,
        search=Search(place=0, nameless=3),
    )
    return dataclasses.replace(layout, attentions=(aligned, searched))


@pytest.fixture(scope="session")
def attended_features(features):
    """Rows whose histories have 3, 2, 1 and 0 entries by turns; every third entry lacks a value."""
    random = np.random.default_rng(1)
    rows = len(features["request_ids"])
    ids = features["request_ids"]
    lengths = 3 - np.arange(rows) % 4
    present = np.arange(3) < lengths[:, None]
    lists = [np.where(present, random.integers(2, 30, (rows, 3)), missing) for missing in (0, 1, 0)]
    lists[1][::3, 1] = 1
    lists.append(np.where(present, random.integers(1, 10, (rows, 3)), 0))
    bought = random.integers(0, 8, (rows, 4))
    candidates = features["candidate_ids"].copy()
    candidates[:, 0] = random.integers(0, 8, rows)
    return {
        **features,
        "request_ids": np.concatenate([ids, *lists, bought], axis=1),
        "candidate_ids": candidates,
    }
