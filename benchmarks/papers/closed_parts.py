"""What a trained MSSM or SNR has closed: cells, values of fields, fields for some tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from trainer.inspect.introspection import field_masks, gated_blocks
from trainer.network.network import Network

# A sub-network has closed a field if it masks it in this share of the rows, and opened it if it
# masks it in no more than that.
_CLOSED, _OPENED = 0.99, 0.5
_ROWS = 8192


def closed_parts(network: Network, features: Mapping[str, tf.Tensor]) -> dict[str, float]:
    """Return shares and numbers of what is closed by name; empty for a model without gates.

    Args:
        network: a trained network.
        features: transformed features, of which the first 8,192 rows are looked at.

    Returns:
        `cells`: the share of hard-concrete gates that are closed. With field masks, also `values`:
        the share of masks that are 0, over rows, fields and sub-networks; `values_of_all`: the
        share of values that all sub-networks mask; `fields`: the number of fields that a
        sub-network masks in at least 99 % of the rows; and `fields_apart`: of those, the number
        that another sub-network opens in at least half of the rows (MSSM, Fig 3a).
    """
    tasks = list(network.layout.tasks)
    gates = [np.ravel(block.gates) for block in gated_blocks(network.sharing, tasks)]
    result = {"cells": float(np.mean(np.concatenate(gates) == 0.0))} if gates else {}
    inputs = network.embed({name: values[:_ROWS] for name, values in features.items()})
    masks = field_masks(network.sharing, inputs, tasks)
    if masks:
        closed = np.stack([mask.numpy() == 0.0 for mask in masks.values()])  # (J, rows, F)
        shares = closed.mean(axis=1)
        of_some = (shares >= _CLOSED).any(axis=0)
        result |= {
            "values": float(closed.mean()),
            "values_of_all": float(closed.all(axis=0).mean()),
            "fields": int(of_some.sum()),
            "fields_apart": int((of_some & (shares <= _OPENED).any(axis=0)).sum()),
        }
    return result
