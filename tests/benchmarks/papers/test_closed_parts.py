"""What gates and masks closed is counted over gates, values and fields."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from benchmarks.papers.closed_parts import closed_parts  # noqa: E402
from benchmarks.papers.tables import closed_table  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import NetworkLayout  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

# Three plain numbers of four rows.
FEATURES = {"candidate_numbers": tf.constant([[-1.0, 1.0, 1.0], [1.0, 1.0, 1.0]] * 2)}


def made(**settings):
    layout = NetworkLayout(
        table_rows={},
        slots={"request": (), "candidate": ()},
        numbers={"request": 0, "candidate": 3},
        tasks={"click": "binary"},
    )
    network = Network(layout, parse_settings({"tower_units": [2], **settings}, {}), name="network")
    network(FEATURES)
    return network


def test_cells_values_and_fields_are_counted_by_hand():
    network = made(name="mssm", units=2)
    fscm, cssm = network.sharing.subnetworks, network.sharing.connection
    # The task's own sub-network masks number 1 where it is below 0, in half of the rows, and number
    # 2 in all of them; the shared one masks number 3, and number 2 in no row.
    fscm.query.assign([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    fscm.mask_bias.assign([[0.0, -1.0, -1.0], [1.0, 1.0, -1.0]])
    cssm.task_gate.log_alpha.assign([[[20.0, -20.0], [-20.0, -20.0]]])
    found = closed_parts(network, FEATURES)
    # Masks of 0: 2 + 4 + 4 of the first and 4 of the second, of 24; number 3 of all, 4 of 12.
    assert found == {
        "cells": 0.75,
        "values": pytest.approx(14 / 24),
        "values_of_all": pytest.approx(1 / 3),
        # Numbers 2 and 3; number 2 is open to the shared one.
        "fields": 2,
        "fields_apart": 1,
    }
    table = closed_table({"mssm": {"closed": found}, "ple": {}, "snr": {"closed": {"cells": 0.5}}})
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["`mssm`", "`snr`"]
    assert cells[1:] == [
        ["75.0 %", "50.0 %"],
        ["58.3 %", "–"],
        ["33.3 %", "–"],
        ["2.0", "–"],
        ["1.0", "–"],
    ]


def test_a_model_without_gates_has_closed_nothing():
    assert closed_parts(made(name="shared_bottom", bottom_units=[2]), FEATURES) == {}


def test_every_gate_of_a_fresh_mssm_is_open():
    assert closed_parts(made(name="mssm", units=2), FEATURES) == dict.fromkeys(
        ("cells", "values", "values_of_all", "fields", "fields_apart"), 0.0
    )


def test_gates_begin_open_and_the_noise_of_training_closes_few():
    gate = made(name="mssm", units=64).sharing.connection.task_gate
    # 1.2 · σ(2) − .1 = .957; log α has a deviation of .01, a tenth of which reaches ẑ.
    np.testing.assert_allclose(gate.values(), 0.957, atol=0.01)
    assert float(tf.reduce_mean(tf.cast(gate.values(training=True) > 0.5, tf.float32))) > 0.8
