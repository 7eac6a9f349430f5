"""What ingestion knows of all keys in the end, from which the next day and history stores go on.

A folder `HISTORIES` beside the splits of the examples, and under `EXPORTED_HISTORIES` of a model:

| file | columns, a row for each key and time, sorted by both |
|---|---|
| `histories.json` | a `HistoryState` |
| `counts/<name>-*.parquet` | `key`, `time_us`, `shown`, and by task `seen.<task>`, `sum.<task>` |
| `sequences/<name>-*.parquet` | `key`, `known_us`, `event_time_us`, and by part `value.<part>` |

A row of a count is what became known at `time_us`; `BEFORE_ALL` stands for whatever is older than
each window can reach. Sums are in `LABEL_UNIT`. A sequence keeps as many rows of a key as any later
exposure can see. All keys of one hash are in one file; keys are as `history_key` makes them.
"""

from __future__ import annotations

from feature_spec.strict_model import StrictModel

HISTORIES = "histories"
EXPORTED_HISTORIES = "assets.extra/histories"
STATE_FILE = "histories.json"
COUNTS, SEQUENCES = "counts", "sequences"
KEY, TIME, KNOWN, EVENT_TIME = "key", "time_us", "known_us", "event_time_us"
SHOWN, SEEN, SUM, VALUE = "shown", "seen.", "sum.", "value."
BEFORE_ALL = -(2**63)


class HistoryState(StrictModel):
    """The description of a state.

    Attributes:
        format: the version of the format.
        digest: a hash of the parts of the spec that the state depends on, `FeatureSpec`'s
            `history_digest`.
        parts: hashes of these parts by name, `FeatureSpec`'s `history_parts`, to say what differs.
        until_us: the latest time of an exposure or of its feedback in the state, in microseconds
            since the Unix epoch.
        exposures: the number of exposures in the state.
        first_day: the first day of the log that the state began with, as the number that
            `datetime.date.toordinal` gives; None if it is not known.
    """

    format: int = 1
    digest: str
    parts: dict[str, str] = {}
    until_us: int
    exposures: int
    first_day: int | None = None
