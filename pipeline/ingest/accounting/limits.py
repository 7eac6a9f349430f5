"""Limits of the lines of each source: what `where` must keep, and what may be rejected."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.ingest.settings.ingest_config import IngestSettings

_LIMIT, _LIMITS = "logs.max_rejected_share", "logs.max_rejected_share_of"


class SourceLines(NamedTuple):
    """The lines of one source.

    Attributes:
        whose: the source, such as ``the log's``.
        lines: lines read, without headers.
        filtered: lines that `where` of the spec leaves out.
        rejected: rejected lines by reason.
    """

    whose: str
    lines: int
    filtered: int
    rejected: Mapping[str, int]

    @classmethod
    def together(cls, sources: Iterable[SourceLines]) -> SourceLines:
        """Return the lines of all sources."""
        lines = filtered = 0
        rejected: Counter[str] = Counter()
        for source in sources:
            lines += source.lines
            filtered += source.filtered
            rejected.update(source.rejected)
        return cls("all sources'", lines, filtered, rejected)

    @property
    def kept(self) -> int:
        """The lines that `where` keeps."""
        return self.lines - self.filtered

    @property
    def rejected_share(self) -> float:
        """Rejected lines divided by kept ones; 0 without any."""
        return sum(self.rejected.values()) / self.kept if self.kept else 0.0


def check_where(of: Mapping[str | None, SourceLines], settings: IngestSettings) -> None:
    """Check that `where` keeps a line of each source.

    Raises:
        ValueError: a condition keeps none.
    """
    for source, counted in of.items():
        described = settings.sources[source]
        if described.where and counted.lines and not counted.kept:
            raise ValueError(
                f"{settings.place_of(source)}.where keeps none of the {counted.lines:,} lines of "
                f"{described.text}: no line has {described.where_text}"
            )


def check_rejected(counted: SourceLines, settings: IngestSettings) -> None:
    """Check the rejected lines of a source against the limits of the spec.

    Raises:
        ValueError: there are too many; the message names the key that allows them.
    """
    limits = settings.logs.max_rejected_share_of
    for reason, limit in limits.items():
        _check_share(counted, {reason: counted.rejected.get(reason, 0)}, limit, f".{reason}")
    others = {reason: count for reason, count in counted.rejected.items() if reason not in limits}
    _check_share(counted, others, settings.logs.max_rejected_share)


def _check_share(
    counted: SourceLines, rejected: Mapping[str, int], limit: float, of_reason: str = ""
) -> None:
    count = sum(rejected.values())
    if count <= limit * counted.kept:
        return
    by_count = sorted(rejected.items(), key=lambda item: -item[1])
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in by_count)
    shares, left = {}, count
    for reason, number in by_count:
        if left <= limit * counted.kept:
            break
        # Rounded up to whole percents.
        shares[reason] = math.ceil(100 * number / counted.kept) / 100
        left -= number
    allowed = ", ".join(f"{reason}: {share:g}" for reason, share in shares.items())
    place = f"{_LIMITS}{of_reason}" if of_reason else _LIMIT
    raise ValueError(
        f"{count:,} of {counted.whose} {counted.kept:,} lines were rejected, "
        f"{count / counted.kept:.1%}, more than {place} {limit:.1%}: {reasons}. If so many are as "
        f"they should be, {_LIMITS}: {{{allowed}}} allows them"
    )
