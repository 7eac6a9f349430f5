"""Warm start: a new network begins with the weights of a trained one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from feature_spec.histories.attention import attended_histories
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.head import Cuts, Head
from trainer.layers.fscm import FSCM
from trainer.network.network import Network
from trainer.network.network_layout import field_names
from trainer.network.table_blocks import write_rows
from trainer.warm_start.array_archive import StoredArray
from trainer.warm_start.embedding_remap import RemappedRows, TableRows, remap_rows
from trainer.warm_start.optimizer_state import state_of
from trainer.warm_start.weight_store import TrainedWeights, dense_weights

logger = logging.getLogger("fulcrum.trainer")


def begin_with(
    weights: TrainedWeights, network: Network, rows: TableRows, optimizer: Any = None
) -> None:
    """Put trained weights into a network, and into its optimizer what it kept for them.

    Rows of the tables move with their values; rows of new values stay as they were drawn. The dense
    weights are taken over together, or not at all if the network differs: half of a network is of
    no use to the other half. What the optimizer kept goes with the weights, unless it is of another
    kind now.

    Args:
        weights: the weights of the trained network.
        network: a built network.
        rows: the meaning of the rows of the network's tables.
        optimizer: the optimizer that will train the network, whose slots exist; None to let it
            begin afresh.
    """
    moved = {width: remap_rows(weights.rows, rows, width) for width in network.layout.table_rows}
    for number, embedding in enumerate(network.embeddings):
        for width, table in embedding.tables.items():
            key = number, int(width)
            if key not in weights.tables:
                logger.info("warm start: table %s is new", table.name)
                continue
            if number and (why := _other_owners(weights, network, rows)):
                logger.info("warm start: table %s begins afresh: %s", table.name, why)
                continue
            columns, columns_now = weights.tables[key].shape[1], int(table.shape[1])
            if columns != columns_now:
                logger.info(
                    "warm start: table %s begins afresh: it has %d columns, and had %d",
                    table.name,
                    columns_now,
                    columns,
                )
                continue
            pairs = moved[int(width)]
            _move_rows(weights.tables[key], table, pairs)
            logger.info(
                "warm start: %s of %s rows of width %s have learnt before",
                f"{len(pairs.now):,}",
                f"{table.shape[0]:,}",
                width,
            )
            kept = weights.table_state.get(key, {})
            _take_state(kept, state_of(optimizer, table), f"table {table.name}", pairs)
    differences = _differences(weights, network, rows)
    if differences:
        logger.info("warm start: all but the tables begins afresh: %s", "; ".join(differences))
        return
    state: dict[str, tf.Variable] = {}
    for place, variable in enumerate(dense_weights(network)):
        variable.assign(weights.dense[place].whole())
        state |= {f"{place}/{name}": own for name, own in state_of(optimizer, variable).items()}
    _take_state(weights.dense_state, state, "all but the tables")


def _move_rows(learnt: StoredArray, table: tf.Variable, pairs: RemappedRows) -> None:
    """Copy the rows of a stored table that have a pair into a table, block by block."""
    row_now = np.full(learnt.shape[0], -1, np.int64)
    row_now[pairs.before] = pairs.now
    first = 0
    for block in learnt.blocks():
        places = row_now[first : first + len(block)]
        has_pair = places >= 0
        write_rows(table, places[has_pair], block[has_pair])
        first += len(block)


def _take_state(
    kept: Mapping[str, StoredArray],
    state: Mapping[str, tf.Variable],
    what: str,
    pairs: RemappedRows | None = None,
) -> None:
    """Take over what the optimizer kept, by name, if it is of the same kind.

    Args:
        kept: what it kept before.
        state: what it keeps now; empty if nothing is to be taken over.
        what: the variables, for the log.
        pairs: the rows of tables that have learnt before; None for other variables.
    """
    if not state:
        return
    # The number of rows of a table changes from day to day.
    skipped = 0 if pairs is None else 1
    shapes = {name: array.shape[skipped:] for name, array in kept.items()}
    shapes_now = {name: tuple(own.shape)[skipped:] for name, own in state.items()}
    if shapes != shapes_now:
        logger.info(
            "warm start: the optimizer of %s begins afresh: it keeps %s, and kept %s",
            what,
            ", ".join(_kinds(shapes_now)),
            ", ".join(_kinds(shapes)) or "nothing that was saved",
        )
        return
    for name, own in state.items():
        if pairs is not None and own.shape.rank:
            _move_rows(kept[name], own, pairs)
        else:
            own.assign(kept[name].whole())


def _kinds(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the names of what is kept, such as ``Adam/m``, once for all variables."""
    return sorted({"/".join(name.split("/")[-2:]) for name in shapes})


def _differences(weights: TrainedWeights, network: Network, rows: TableRows) -> list[str]:
    """Say why the trained dense part does not fit; empty if it does."""
    if weights.model != network.model_name:
        return [f"the trained model is {weights.model}, not {network.model_name}"]
    before, now = weights.rows.spec, rows.spec
    found = []
    if field_names(before) != field_names(now):
        found.append("it reads other fields")
    elif _attended(before) != _attended(now):
        found.append("it attends to histories otherwise")
    if list(before.training_only) != list(now.training_only):
        found.append("other fields are there in training only")
    if _personalised(before) != _personalised(now):
        found.append("other fields gate it")
    if before.model.get("task_fields") != now.model.get("task_fields"):
        found.append("tasks have embeddings of other fields")
    if before.model.get("task_groups") != now.model.get("task_groups"):
        found.append("tasks are grouped otherwise")
    if _tasks(before) != _tasks(now):
        found.append("it has other tasks")
    elif _of_quantiles(before) != _of_quantiles(now):
        # The mean and the deviation of labels are weights, too.
        found.append("labels are quantiles ('quantile_within') of other tasks")
    if _heads(before) != _heads(now):
        found.append("heads predict otherwise how labels are distributed")
    if [value.shape for value in weights.dense] != [
        tuple(variable.shape) for variable in dense_weights(network)
    ]:
        found.append("its layers have other sizes" + _of_other_masks(weights, network))
    return found


def _other_owners(weights: TrainedWeights, network: Network, rows: TableRows) -> str:
    """Say why tables of tasks' own belonged to others; empty if they did not."""
    if weights.model != network.model_name:
        return f"the trained model is {weights.model}, not {network.model_name}"
    if _tasks(weights.rows.spec) != _tasks(rows.spec):
        return "it has other tasks"
    return ""


def _tasks(spec: FeatureSpec) -> list[tuple[str, str]]:
    return [(name, task.kind) for name, task in spec.tasks.items()]


def _of_quantiles(spec: FeatureSpec) -> list[str]:
    """Return the tasks whose labels are quantiles, from 0 to 1, whatever their own unit is."""
    return [name for name, task in spec.tasks.items() if task.quantile_within is not None]


def _heads(spec: FeatureSpec) -> list[tuple[Head | None, Cuts, int]]:
    """Return the heads of the tasks, with cuts that the spec gives."""
    return [(task.head, task.cuts, task.levels) for task in spec.tasks.values()]


def _personalised(spec: FeatureSpec) -> list[list[str]]:
    """Return the fields that gate the input and the towers, in the order of the spec."""
    gates = spec.model.get("personalise") or {}
    return [
        [name for name in field_names(spec) if name in (gates.get(key) or [])]
        for key in ("domain", "prior")
    ]


def _attended(spec: FeatureSpec) -> list[str]:
    """Describe the histories that candidates attend to, with the order of their lists."""
    return [repr(one) for one in attended_histories(spec.fields, spec.histories)]


def _of_other_masks(weights: TrainedWeights, network: Network) -> str:
    """Say what to do about weights of MSSM's masks of the paper, which all masks once were."""
    fscm = getattr(network.sharing, "subnetworks", None)
    if not isinstance(fscm, FSCM) or fscm.masks_are == "paper":
        return ""
    of_paper = [
        tuple(variable.shape)
        if variable is not fscm.mask_bias
        else (fscm.subnetworks, sum(fscm.has_bias_in_paper))
        for variable in dense_weights(network)
    ]
    if [value.shape for value in weights.dense] != of_paper:
        return ""
    return " (its masks are those of the paper: `model.masks: paper` goes on with them)"
