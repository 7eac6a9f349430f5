"""Counts of ingestion that add up across bundles, machines and steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline.ingest.accounting.rejection import Reason, RejectedLine

# Numbers by name, such as ("rejected", "duplicate").
Counts = Counter[tuple[str, ...]]

REJECTED, DAY, EXAMPLES = "rejected", "day", "examples"
# Each step counts its lines and what becomes of them by itself, so a loss between two steps shows.
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
# Number of batches from a connector that have a column, by the place of the source in the spec.
COLUMN = "column"
# Sum of labels in whole millionths, which does not depend on the order of summation.
LABEL_MILLIONTHS = "label_millionths"
# Examples of a binary task with a label above 0, and below 1.
POSITIVES, NEGATIVES = "positives", "negatives"
# Values of a field that hold a line break, in examples or in rows of a side table.
LINE_BREAKS = "line_breaks"
# Examples by history: all, those without a key, those without anything known of their key, and the
# exposures known of the keys together.
HISTORY, NO_KEY, EMPTY, EVENTS = "history", "no_key", "empty", "events"
WARM_UP = "warm_up"
# Lines that `where` of their source leaves to other sources.
FILTERED = "filtered"
TABLE_LINES, TABLE_ROWS, TABLE_REJECTED, TABLE_REPEATED, TABLE_FILTERED = (
    "table_lines",
    "table_rows",
    "table_rejected",
    "table_repeated",
    "table_filtered",
)


def add_counts(parts: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    total: Counts = Counter()
    for part in parts:
        total.update(part)
    return total


def count_step(
    counts: Counts,
    step: str,
    received: int,
    passed: int,
    rejected: Sequence[RejectedLine],
    *,
    sampled_out: int = 0,
    warm_up: int = 0,
    filtered: int = 0,
    of_other_days: int = 0,
) -> None:
    """Add the fates of some lines in a step to `counts`."""
    parts = {
        RECEIVED: received,
        PASSED: passed,
        REJECTED: len(rejected),
        SAMPLED_OUT: sampled_out,
        OF_OTHER_DAYS: of_other_days,
    }
    if warm_up:
        parts[WARM_UP] = warm_up
    if filtered:
        parts[FILTERED] = filtered
    counts.update({(STEP, step, part): count for part, count in parts.items()})
    for line in rejected:
        counts[REJECTED_ACTIONS if step in ACTION_STEPS else REJECTED, line.reason] += 1
    counts.update(unreadable_files(rejected))


def unreadable_files(rejected: Iterable[RejectedLine]) -> Counts:
    """Count the rejected lines at which a file could not be read any further, by file."""
    return Counter(
        (UNREADABLE_FILE, line.source) for line in rejected if line.reason == Reason.UNREADABLE
    )


def counts_under(counts: Counts, *prefix: str) -> dict[str, int]:
    """Return the counts right below a prefix, by the last part of their names, in their order."""
    depth = len(prefix)
    return {
        name[depth]: counts[name]
        for name in sorted(counts)
        if name[:depth] == prefix and len(name) == depth + 1
    }
