"""Events of a log, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from feature_spec.names import EVENT_TIME
from pipeline.ingest.accounting.rejection import Reason, RejectedLine


class Deduplicated(NamedTuple):
    """Events that differ, and what became of the lines that repeat them.

    Attributes:
        events: one line of each event.
        rejected: the others.
        of_other_days: how many more there are, of neighbouring days, whose own ingestion rejects
            them.
    """

    events: pa.Table
    rejected: list[RejectedLine]
    of_other_days: int


def deduplicated(events: pa.Table, files: Sequence[str]) -> Deduplicated:
    """Keeps one of the lines of each event: the earliest; of several of one time, that of the smallest digest.

    Which one stays, but for its place in the files, thus depends on no order of files and lines.
    What is left is in the order of the digests.

    Args:
        events: all lines of some events (see `event_rows`).
        files: names of the files.
    """
    columns = ("event_high", "event_low", EVENT_TIME, "draw", "place", "file", "line")
    high, low, time_us, draw, place, file, line = (
        events.column(name).to_numpy() for name in columns
    )
    order = np.lexsort((line, file, place, draw, time_us, low, high))
    repeated = np.zeros(len(order), bool)
    repeated[1:] = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] == low[order[:-1]])
    first_of = order[np.maximum.accumulate(np.where(repeated, 0, np.arange(len(order))))]
    is_own = events.column("is_own").to_numpy()[order]
    rejected = []
    for position in np.flatnonzero(repeated & is_own).tolist():
        earlier = first_of[position]
        detail = f"the same event as {files[file[earlier]]}, line {line[earlier]}"
        rejected.append(
            rejected_event(events, int(order[position]), files, Reason.DUPLICATE, detail)
        )
    kept = order[~repeated]
    of_other_days = int(np.count_nonzero(repeated & ~is_own))
    return Deduplicated(
        events.take(pa.array(kept[np.lexsort((place[kept], draw[kept]))])), rejected, of_other_days
    )


def rejected_event(
    events: pa.Table, position: int, files: Sequence[str], reason: Reason, detail: str
) -> RejectedLine:
    """The line of the event at a position."""
    file, line, raw = (events.column(name)[position].as_py() for name in ("file", "line", "raw"))
    return RejectedLine(files[file], line, reason, detail, raw)
