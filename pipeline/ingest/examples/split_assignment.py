"""The last word on each row: duplicate, stray, or example of one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.accounting.rejection import Reason, RejectedLine
from pipeline.ingest.settings.event_days import EventDays, SpanDay
from pipeline.ingest.settings.ingest_config import IngestSettings


class Settled(NamedTuple):
    """What became of a shard's rows.

    Attributes:
        splits: the rows of each split that has some.
        rejected: the others.
    """

    splits: dict[str, pa.Table]
    rejected: list[RejectedLine]


class Settling:
    """Decides about rows, shard by shard.

    Args:
        settings: the spec's rules.
        names: of the files of the exposure log (see `source_names`); the column `file` holds
            indices into it.
        evaluation_files: names of those that judge the model.
        event_days: the days of the log, or the one that is ingested; None where files tell the
            splits apart, or days are not known.
    """

    def __init__(
        self,
        settings: IngestSettings,
        names: Sequence[str],
        evaluation_files: frozenset[str],
        event_days: EventDays | SpanDay | None,
    ) -> None:
        self._names = names
        self._judging = (
            [number for number, name in enumerate(names) if name in evaluation_files]
            if evaluation_files
            else []
        )
        self._event_days = event_days
        self._deduplicate = settings.logs.deduplicate
        # Drawn by hash, a row stays in its split whatever else is in the log.
        self._validation_below = np.uint64(settings.split.validation_share * 2**64)
        self._validation_of = settings.split.validation_of

    def settle(self, shard: pa.Table) -> Settled:
        """Gives each row of a shard once, in a split or as a rejected line.

        The order is that of the digests: the same for any order of arrival, and without relation to
        time, file or content.
        """
        draw, place, file, line = (
            shard.column(name).to_numpy() for name in ("draw", "place", "file", "line")
        )
        order = np.argsort(draw)
        if (draw[order[1:]] == draw[order[:-1]]).any():
            order = np.lexsort((line, file, place, draw))
        shard, draw, place, file, line = (
            shard.take(order),
            draw[order],
            place[order],
            file[order],
            line[order],
        )
        rejected: dict[int, RejectedLine] = {}
        if self._deduplicate and shard.num_rows:
            repeated = np.concatenate(
                [[False], (draw[1:] == draw[:-1]) & (place[1:] == place[:-1])]
            )
            first_of = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(draw))))
            for position in np.flatnonzero(repeated).tolist():
                first = first_of[position]
                detail = f"equal in every column to {self._names[file[first]]}, line {line[first]}"
                rejected[position] = self._rejected(shard, position, Reason.DUPLICATE, detail)
        days = self._event_days
        if days is not None:
            day = shard.column("day").to_numpy()
            for position in np.flatnonzero(_for_each_day(day, days.is_stray)).tolist():
                detail = days.stray_detail(int(day[position]))
                rejected.setdefault(
                    position, self._rejected(shard, position, Reason.STRAY_EVENT_TIME, detail)
                )
            evaluation = _for_each_day(day, days.is_evaluation)
        else:
            evaluation = np.isin(file, self._judging)
        validation = (draw < self._validation_below) & (
            evaluation == (self._validation_of == EVALUATION)
        )
        kept = np.ones(shard.num_rows, bool)
        kept[list(rejected)] = False
        masks = {
            TRAIN: ~evaluation & ~validation,
            VALIDATION: validation,
            EVALUATION: evaluation & ~validation,
        }
        splits = {split: shard.filter(pa.array(mask & kept)) for split, mask in masks.items()}
        return Settled(
            splits={split: rows for split, rows in splits.items() if rows.num_rows},
            rejected=[rejected[position] for position in sorted(rejected)],
        )

    def _rejected(
        self, shard: pa.Table, position: int, reason: Reason, detail: str
    ) -> RejectedLine:
        file, line, raw = (shard.column(name)[position].as_py() for name in ("file", "line", "raw"))
        return RejectedLine(self._names[file], line, reason, detail, raw)


def shard_numbers(rows: pa.Table, shards: int) -> np.ndarray:
    """The shard of each row. Equal rows share one, so that a shard finds its duplicates alone."""
    return rows.column("place").to_numpy() % np.uint64(shards)


def _for_each_day(days: np.ndarray, holds: Callable[[int], bool]) -> np.ndarray:
    """Whether something holds of each row's day; asked once a day."""
    different, day_of = np.unique(days, return_inverse=True)
    return np.array([holds(day) for day in different.tolist()], bool)[day_of]
