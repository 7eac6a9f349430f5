"""Negative down-sampling of labelled rows, drawn by key."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.names import EVALUATION
from pipeline.ingest.labelling.labelled_rows import LABEL
from pipeline.ingest.settings.ingest_config import IngestSettings

_KEYS = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)


def sampled(rows: pa.Table, split: str, settings: IngestSettings) -> pa.Table:
    """Remove down-sampled negatives from sample spaces, and rows left in none from the split.

    All tasks share one draw a row. So with one rate for all tasks, an example is dropped if it is
    drawn and no binary task is positive. A task's negatives are kept at its rate, whatever the
    other labels are; the export corrects for that.

    Args:
        rows: labelled rows of one split (see `labelled_rows`).
        split: the name of the split. The evaluation is never sampled.
        settings: the spec's rules.
    """
    if settings.sampling is None or split == EVALUATION:
        return rows
    rates = recorded_rates(split, settings)
    draws = _draws(rows)
    # Rows that all binary tasks drop are chosen by their labels. The draw leaves an even share of
    # rows to a regression.
    unsampled_rate = settings.sampling.negative_rate or 1.0
    before = after = np.zeros(rows.num_rows, bool)
    for name, task in settings.tasks.items():
        labels = rows.column(LABEL + name).to_numpy()
        inside = ~np.isnan(labels)
        if name in rates:
            stays = (labels > 0) | (draws < rates[name])
        else:
            # The positives of a task all stay, and with them the examples of those it is given to.
            stays = draws < (1.0 if task.given else unsampled_rate)
        kept = inside & stays
        before, after = before | inside, after | kept
        rows = rows.set_column(
            rows.column_names.index(LABEL + name), LABEL + name, pa.array(labels, mask=~kept)
        )
    # Sampling leaves rows alone that were in no sample space to begin with.
    return rows.filter(pa.array(after | ~before))


def recorded_rates(split: str, settings: IngestSettings) -> dict[str, float]:
    """Return the rate at which a split keeps each sampled task's negatives; 1 in evaluation."""
    if settings.sampling is None:
        return {}
    rates = settings.sampling.rates(settings.tasks)
    return dict.fromkeys(rates, 1.0) if split == EVALUATION else rates


def _draws(rows: pa.Table) -> np.ndarray:
    """Draw numbers in [0, 1) by the keys that the spec declares; without any, by whole records."""
    keys = [rows.column(name) for name in _KEYS if name in rows.column_names]
    if not keys:
        digests = rows.column("digest_high").to_numpy()
        keys = [pa.array([digest.tobytes() for digest in digests], pa.binary())]
    # The lengths keep keys apart whose texts run together.
    lengths = [pc.cast(pc.cast(pc.binary_length(key), pa.string()), pa.binary()) for key in keys]
    joined = pc.binary_join_element_wise(*keys, *lengths, b"\n")
    hashes = b"".join(
        hashlib.blake2b(key, digest_size=8, person=b"sampling").digest()
        for key in joined.to_pylist()
    )
    return (np.frombuffer(hashes, ">u8") >> np.uint64(11)) / 2.0**53
