"""Warm start: a new network begins with the weights of a trained one."""

from __future__ import annotations

import logging

from trainer.network.network import Network
from trainer.network.network_layout import field_names
from trainer.warm_start.embedding_remap import TableRows, remap_rows
from trainer.warm_start.weight_store import TrainedWeights, dense_weights

logger = logging.getLogger("fulcrum.trainer")


def begin_with(weights: TrainedWeights, network: Network, rows: TableRows) -> None:
    """Put trained weights into a network. Optimizers begin afresh.

    Rows of the tables move with their values; rows of new values stay as they were drawn. The dense
    weights are taken over together, or not at all if the network differs: half of a network is of
    no use to the other half.

    Args:
        weights: the weights of the trained network.
        network: a built network.
        rows: the meaning of the rows of the network's tables.
    """
    for number, embedding in enumerate(network.embeddings):
        for width, table in embedding.tables.items():
            learnt = weights.tables.get((number, int(width)))
            if learnt is None:
                logger.info("warm start: table %s is new", table.name)
                continue
            moved = remap_rows(weights.rows, rows, int(width))
            values = table.numpy()
            values[moved.now] = learnt[moved.before]
            table.assign(values)
            logger.info(
                "warm start: %s of %s rows of width %s have learnt before",
                f"{len(moved.now):,}",
                f"{len(values):,}",
                width,
            )
    differences = _differences(weights, network, rows)
    if differences:
        logger.info("warm start: all but the tables begins afresh: %s", "; ".join(differences))
        return
    for variable, value in zip(dense_weights(network), weights.dense, strict=True):
        variable.assign(value)


def _differences(weights: TrainedWeights, network: Network, rows: TableRows) -> list[str]:
    """Say why the trained dense part does not fit; empty if it does."""
    if weights.model != network.model_name:
        return [f"the trained model is {weights.model}, not {network.model_name}"]
    before, now = weights.rows.spec, rows.spec
    found = []
    if field_names(before) != field_names(now):
        found.append("it reads other fields")
    if [(name, task.kind) for name, task in before.tasks.items()] != [
        (name, task.kind) for name, task in now.tasks.items()
    ]:
        found.append("it has other tasks")
    if [value.shape for value in weights.dense] != [
        tuple(variable.shape) for variable in dense_weights(network)
    ]:
        found.append("its layers have other sizes")
    return found
