"""What the summary of an ingestion counts of the rows of a split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.labelling.labelled_rows import FIELD, LABEL, line_breaks
from pipeline.ingest.settings.ingest_config import IngestSettings


def counts_of_split(split: str, rows: pa.Table, settings: IngestSettings) -> Counts:
    """Return sample spaces, labels and line breaks of the rows of one split."""
    counts: Counts = Counter()
    for name, task in settings.tasks.items():
        labels = rows.column(LABEL + name).drop_null().to_numpy()
        counts[counters.SAMPLE_SPACE, split, name] = len(labels)
        counts[counters.LABEL_MILLIONTHS, split, name] = _millionths(labels)
        if task.kind == "binary":
            counts[counters.POSITIVES, split, name] = int(np.count_nonzero(labels > 0.0))
            counts[counters.NEGATIVES, split, name] = int(np.count_nonzero(labels < 1.0))
    for name, field in settings.fields_of(None).items():
        if field.kind not in ("numeric", "vector"):
            counts[counters.LINE_BREAKS, name] += line_breaks(rows.column(FIELD + name))
    return counts


def _millionths(labels: np.ndarray) -> int:
    """Return the sum of labels in whole millionths, however large they are."""
    millionths = np.rint(labels * 1e6)
    if np.abs(millionths).max(initial=0.0) < 2.0**53:
        return sum(millionths.astype(np.int64).tolist())
    return sum(map(int, millionths.tolist()))
