"""Assignment of each row to a split, or its rejection as a duplicate or a stray."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.names import EVALUATION, TRAIN, USER_KEY, VALIDATION
from pipeline.ingest.accounting.rejection import Reason, RejectedLine
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.log_days import EventDays, SpanDay

_PLACE = ("digest_high", "digest_low", "file", "line")


class AssignedShard(NamedTuple):
    """The rows of a shard by split.

    Attributes:
        splits: the rows of each split that has rows.
        warm_up: the number of rows of the warm-up of histories, which are in no split.
        rejected: the other rows, as rejected lines.
    """

    splits: dict[str, pa.Table]
    warm_up: int
    rejected: list[RejectedLine]


def in_order(shard: pa.Table) -> pa.Table:
    """Return the rows of a shard in the order of their digests, and equal rows in that of lines."""
    high, low, file, line = (shard.column(name).to_numpy() for name in _PLACE)
    order = np.argsort(high)
    if (high[order[1:]] == high[order[:-1]]).any():
        order = np.lexsort((line, file, low, high))
    return shard.take(pa.array(order))


class SplitAssignment:
    """Assigns rows to splits, shard by shard.

    Args:
        settings: the spec's rules.
        names: the names of the files of the exposure log (see `source_names`); the column `file`
            holds indices into it.
        evaluation_files: the names of the files that judge the model.
        event_days: the days of the log, or the ingested day; None where files tell the splits
            apart, or days are not known.
        warm_up_before: the day, as `datetime.date.toordinal` counts, before which exposures only
            warm up histories; None without a warm-up.
    """

    def __init__(
        self,
        settings: IngestSettings,
        names: Sequence[str],
        evaluation_files: frozenset[str],
        event_days: EventDays | SpanDay | None,
        warm_up_before: int | None = None,
    ) -> None:
        self._names = names
        self._judging = (
            [number for number, name in enumerate(names) if name in evaluation_files]
            if evaluation_files
            else []
        )
        self._event_days = event_days
        self._warm_up_before = warm_up_before
        self._deduplicate = settings.deduplicates
        # Drawn by hash, so a row stays in its split whatever else is in the log.
        self._by_user = settings.split.by == "user"
        share = settings.split.evaluation_share if settings.day is None else None
        self._evaluation_below = np.uint64((share or 0.0) * 2**64)
        self._validation_below = np.uint64(settings.split.validation_share * 2**64)
        self._validation_of = settings.split.validation_of

    def __call__(self, shard: pa.Table) -> AssignedShard:
        """Return each row of a shard once, in a split or as a rejected line.

        Rows are in the order of their digests, which does not depend on the order of arrival, and
        has no relation to time, file or content.
        """
        shard = in_order(shard)
        low, high, file, line = (
            shard.column(name).to_numpy() for name in ("digest_low", "digest_high", "file", "line")
        )
        if self._by_user:
            low, high = _draws_of(shard.column(USER_KEY))
        rejected: dict[int, RejectedLine] = {}
        repeated = self._repeated(shard)
        if repeated.any():
            first_of = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(line))))
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
            evaluation = np.isin(file, self._judging) | (low < self._evaluation_below)
        validation = (high < self._validation_below) & (
            evaluation == (self._validation_of == EVALUATION)
        )
        kept = np.ones(shard.num_rows, bool)
        kept[list(rejected)] = False
        warm_up = np.zeros(shard.num_rows, bool)
        if self._warm_up_before is not None:
            warm_up = kept & (shard.column("day").to_numpy() < self._warm_up_before)
            kept &= ~warm_up
        masks = {
            TRAIN: ~evaluation & ~validation,
            VALIDATION: validation,
            EVALUATION: evaluation & ~validation,
        }
        splits = {split: shard.filter(pa.array(mask & kept)) for split, mask in masks.items()}
        return AssignedShard(
            splits={split: rows for split, rows in splits.items() if rows.num_rows},
            warm_up=int(np.count_nonzero(warm_up)),
            rejected=[rejected[position] for position in sorted(rejected)],
        )

    def kept(self, shard: pa.Table) -> np.ndarray:
        """Return which rows of a shard, as `in_order` gives them, are not rejected, (N,)."""
        kept = ~self._repeated(shard)
        if self._event_days is not None:
            kept &= ~_for_each_day(shard.column("day").to_numpy(), self._event_days.is_stray)
        return kept

    def _repeated(self, shard: pa.Table) -> np.ndarray:
        high, low = (shard.column(name).to_numpy() for name in ("digest_high", "digest_low"))
        repeated = np.zeros(len(high), bool)
        if self._deduplicate:
            repeated[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
        return repeated

    def _rejected(
        self, shard: pa.Table, position: int, reason: Reason, detail: str
    ) -> RejectedLine:
        file, line, raw = (shard.column(name)[position].as_py() for name in ("file", "line", "raw"))
        return RejectedLine(self._names[file], line, reason, detail, raw)


def _draws_of(keys: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return two independent numbers of 64 bits for each key, the same for equal keys."""
    encoded = pc.dictionary_encode(keys.combine_chunks())
    digests = b"".join(
        hashlib.blake2b(key, digest_size=16, person=b"split").digest()
        for key in encoded.dictionary.to_pylist()
    )
    draws = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)
    of_rows = draws[encoded.indices.to_numpy()]
    return of_rows[:, 0], of_rows[:, 1]


def _for_each_day(days: np.ndarray, holds: Callable[[int], bool]) -> np.ndarray:
    """Apply a condition to the day of each row, evaluated once a day."""
    different, day_of = np.unique(days, return_inverse=True)
    return np.array([holds(day) for day in different.tolist()], bool)[day_of]
