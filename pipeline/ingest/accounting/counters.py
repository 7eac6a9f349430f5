"""Counts of ingestion that add up across bundles, machines and steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline.ingest.accounting.rejection import Reason, RejectedLine

# From what is counted, such as ("rejected", "duplicate"), to how often.
Tally = Counter[tuple[str, ...]]

REJECTED, DAY, EXAMPLES = "rejected", "day", "examples"
# A step counts for itself what it receives and what becomes of it, so that a loss between two steps
# shows.
STEP, RECEIVED, PASSED, SAMPLED_OUT, OF_OTHER_DAYS = (
    "step",
    "received",
    "passed",
    "sampled_out",
    "of_other_days",
)
PARSE, LABEL, WRITE, DEDUPLICATE = "parse", "label", "write", "deduplicate"
PARSE_ACTIONS, DEDUPLICATE_ACTIONS, JOIN_ACTIONS = (
    "parse_actions",
    "deduplicate_actions",
    "join_actions",
)
EXPOSURE_STEPS = (PARSE, LABEL, WRITE)
IMPRESSION_STEPS = (PARSE, DEDUPLICATE, LABEL, WRITE)
ACTION_STEPS = (PARSE_ACTIONS, DEDUPLICATE_ACTIONS, JOIN_ACTIONS)
REJECTED_ACTIONS, ACTION, LINES_OF_OTHER_DAYS = "rejected_actions", "action", "lines_of_other_days"
SAMPLE_SPACE, UNJOINED, UNREADABLE_FILE = "sample_space", "unjoined", "unreadable_file"
# In how many batches from a connector some record has a column, by the place of the source in the
# spec.
COLUMN = "column"
# Sum of labels in whole millionths, so that the order of summation makes no difference.
LABEL_MILLIONTHS = "label_millionths"
TABLE_LINES, TABLE_ROWS, TABLE_REJECTED, TABLE_REPEATED = (
    "table_lines",
    "table_rows",
    "table_rejected",
    "table_repeated",
)


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """The sum; an empty tally of none."""
    total: Tally = Counter()
    for tally in tallies:
        total.update(tally)
    return total


def count_step(
    tally: Tally,
    step: str,
    received: int,
    passed: int,
    rejected: Sequence[RejectedLine],
    *,
    sampled_out: int = 0,
    of_other_days: int = 0,
) -> None:
    """Adds what became of some lines in a step."""
    parts = {
        RECEIVED: received,
        PASSED: passed,
        REJECTED: len(rejected),
        SAMPLED_OUT: sampled_out,
        OF_OTHER_DAYS: of_other_days,
    }
    tally.update({(STEP, step, part): count for part, count in parts.items()})
    for line in rejected:
        tally[REJECTED_ACTIONS if step in ACTION_STEPS else REJECTED, line.reason] += 1
    tally.update(unreadable_files(rejected))


def unreadable_files(rejected: Iterable[RejectedLine]) -> Tally:
    """The files that could not be read to their end."""
    return Counter(
        (UNREADABLE_FILE, line.source) for line in rejected if line.reason == Reason.UNREADABLE
    )


def counts_under(tally: Tally, *prefix: str) -> dict[str, int]:
    """What is counted right below a prefix, by the last part of its name, in alphabetical order."""
    depth = len(prefix)
    return {
        name[depth]: tally[name]
        for name in sorted(tally)
        if name[:depth] == prefix and len(name) == depth + 1
    }
