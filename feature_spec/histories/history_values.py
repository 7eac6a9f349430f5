"""Values of histories that ingestion and the history store must compute alike, to the bit.

Counts are integers, and labels are summed in units of `LABEL_UNIT`, so that no sum depends on the
order of its terms.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from feature_spec.histories.histories import Histories

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# A power of two, so that sums of 0 and 1 are exact. Labels beyond the limit count as the limit.
LABEL_UNIT = 2.0**-16
LABEL_LIMIT = 2.0**23
NO_FEEDBACK = b"none"
_QUARTER_US, _DAY_US = 900_000_000, 86_400_000_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_EPOCH = datetime.date(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_NO_OFFSET = datetime.timedelta()


def label_units(labels: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return labels in units of `LABEL_UNIT`, (N,); 0 where NaN."""
    import numpy as np

    clipped = np.clip(np.nan_to_num(labels, nan=0.0), -LABEL_LIMIT, LABEL_LIMIT)
    return np.rint(clipped / LABEL_UNIT).astype(np.int64)


def label_sums(units: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return sums of labels, (N,), from sums in units of `LABEL_UNIT`."""
    import numpy as np

    return (units * LABEL_UNIT).astype(np.float32)


def history_key(values: Sequence[bytes]) -> bytes:
    """Return the key that fields with these values make; other values make another key.

    The length of each value but the last comes before it, as 4 bytes, the least significant first.
    """
    *first, last = values
    return b"".join([*(len(value).to_bytes(4, "little") + value for value in first), last])


def age_token(age_us: int) -> bytes:
    """Return the age of an exposure as a text: the number of binary digits of its whole seconds."""
    return b"%d" % max(age_us // 1_000_000, 0).bit_length()


def age_text(token: str) -> str:
    """Return an age of `age_token` as a span, such as ``34–68 min``.

    k binary digits are 2^(k−1) to 2^k seconds.
    """
    digits = int(token) if token.isdecimal() else None
    if digits is None or digits == 0:
        return "0 s" if digits == 0 else token
    least_s = 2 ** (digits - 1)
    size, unit = next((size, unit) for size, unit in _UNITS if least_s >= size)
    return f"{least_s / size:.0f}–{2 * least_s / size:.0f} {unit}"


def feedback_token(positive: Iterable[str]) -> bytes:
    """Return the tasks in which an exposure was positive as a text, in the spec's order."""
    return "+".join(positive).encode() or NO_FEEDBACK


def cutoff_us(
    histories: Histories, times_us: npt.NDArray[np.int64], timezone: str
) -> npt.NDArray[np.int64]:
    """Return the cutoff of exposures at `times_us`, (N,): what became known before it counts.

    It moves in steps, as the begin of a window does, so that a store need not keep single events.

    Args:
        histories: the histories, for `known_after_s` or `refresh`.
        times_us: microseconds since the Unix epoch, (N,).
        timezone: the IANA name of the zone in which days begin.
    """
    delay_us = round((histories.known_after_s or 0.0) * 1e6)
    return step_begin_us(histories, times_us - delay_us, timezone)


def step_begin_us(
    histories: Histories, times_us: npt.NDArray[np.int64], timezone: str
) -> npt.NDArray[np.int64]:
    """Return the last cutoff that is possible at or before `times_us`, (N,).

    What became known from it on to the next possible cutoff counts together or not at all.
    """
    import numpy as np

    if histories.known_after_s is not None:
        step_us = window_step_s(int(histories.known_after_s)) * 1_000_000
        return times_us // step_us * step_us
    # Offsets of zones change at whole quarters of an hour.
    quarters, which = np.unique(times_us // _QUARTER_US, return_inverse=True)
    zone = ZoneInfo(timezone)
    offsets = [
        datetime.datetime.fromtimestamp(quarter * 900, zone).utcoffset()
        for quarter in quarters.tolist()
    ]
    local = (
        times_us + np.array([(offset or _NO_OFFSET) // _MICROSECOND for offset in offsets])[which]
    )
    midnights, which = np.unique(local // _DAY_US, return_inverse=True)
    begins = [
        datetime.datetime.combine(_EPOCH + datetime.timedelta(days=day), datetime.time(), zone)
        for day in midnights.tolist()
    ]
    return np.array([round(begin.timestamp()) * 1_000_000 for begin in begins], np.int64)[which]


def window_begin_us(cutoffs_us: npt.NDArray[np.int64], window_s: int) -> npt.NDArray[np.int64]:
    """Return the begin of the window before cutoffs, (N,): what became known from it on counts.

    It moves in steps (`window_step_s`), so that a store need not keep single events.
    """
    step_us = window_step_s(window_s) * 1_000_000
    return (cutoffs_us - window_s * 1_000_000) // step_us * step_us


def window_step_s(window_s: int) -> int:
    """Return the step of a window's begin: a power of two, at least 1 and at most 1/64 of it."""
    return 1 << max(window_s // 64, 1).bit_length() - 1
