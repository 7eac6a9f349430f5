"""The last word on each record: duplicate, stray, or example of one split."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.event_days import EventDays
from pipeline.ingest.files import LogFile
from pipeline.ingest.labelled_record import LabelledRecord
from pipeline.ingest.rejection import Reason, RejectedLine
from pipeline.ingest.settings import IngestSettings


def shard_of(digest: bytes, shards: int) -> int:
    """The shard of a record. Equal records share one, so that a shard finds its duplicates alone."""
    return int.from_bytes(digest[8:], "big") % shards


class Settling:
    """Decides about records, shard by shard.

    Args:
        settings: the spec's rules.
        files: the files of the exposure log; `LabelledRecord.file` is an index into it.
        evaluation_files: names of those that judge the model.
        event_days: the days of the log; None where files tell the splits apart.
    """

    def __init__(
        self, settings: IngestSettings, files: Sequence[LogFile], evaluation_files: frozenset[str], event_days: EventDays | None
    ) -> None:
        self._files = [file.name for file in files]
        self._judging = [file.name in evaluation_files for file in files]
        self._event_days = event_days
        self._deduplicate = settings.logs.deduplicate
        # Drawn by hash, a record stays in its split whatever else is in the log.
        self._validation_below = settings.split.validation_share * 2**64
        self._validation_of = settings.split.validation_of

    def settle(self, shard: Iterable[LabelledRecord]) -> Iterator[tuple[str, LabelledRecord] | RejectedLine]:
        """Yields each record of a shard once, with its split or as a rejected line.

        The order is that of the digests: the same for any order of arrival, and without relation to time, file or content.
        """
        first = None
        for record in sorted(shard, key=attrgetter("digest", "file", "line")):
            if first is None or record.digest != first.digest:
                first = record
            elif self._deduplicate:
                detail = f"equal in every column to {self._files[first.file]}, line {first.line}"
                yield self._rejected(record, Reason.DUPLICATE, detail)
                continue
            days = self._event_days
            if days is not None and record.day is not None and days.is_stray(record.day):
                detail = f"on {_date(record.day)}, later than the last day of the log, {_date(days.days[-1])}"
                yield self._rejected(record, Reason.STRAY_EVENT_TIME, detail)
            else:
                yield self._split(record), record

    def _split(self, record: LabelledRecord) -> str:
        if self._event_days is not None and record.day is not None:
            evaluation = self._event_days.is_evaluation(record.day)
        else:
            evaluation = self._judging[record.file]
        split = EVALUATION if evaluation else TRAIN
        drawn = int.from_bytes(record.digest[:8], "big") < self._validation_below
        return VALIDATION if drawn and split == self._validation_of else split

    def _rejected(self, record: LabelledRecord, reason: Reason, detail: str) -> RejectedLine:
        return RejectedLine(self._files[record.file], record.line, reason, detail, record.raw)


def _date(day: int) -> str:
    return datetime.date.fromordinal(day).isoformat()
