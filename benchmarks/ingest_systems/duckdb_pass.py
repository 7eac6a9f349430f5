"""Ingestion in one pass of DuckDB: read, drop duplicates, join, label, split, write.

Arguments: folder of the logs, folder of the output.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from benchmarks.worker import report_work

DERIVED = """
CREATE TEMP TABLE derived AS
SELECT l.*, u.* EXCLUDE (user_id), v.* EXCLUDE (video_id),
  (play_s >= 5)::FLOAT AS label_of_vtr,
  least(play_s / duration_s, 1.0)::FLOAT AS label_of_vcr,
  CASE WHEN played > 0 THEN shared END::FLOAT AS label_of_shr,
  CASE WHEN played > 0 THEN commented END::FLOAT AS label_of_cmr,
  CASE WHEN scenario = 'click' THEN clicked END::FLOAT AS label_of_ctr,
  time_ms // 86400000 AS day, hash(request_id, l.video_id) % 20 = 0 AS drawn
FROM (SELECT DISTINCT * FROM read_csv('{logs}/csv/exposures.csv')) l
LEFT JOIN read_json('{logs}/exposures/users.jsonl.gz') u ON l.user_id = u.user_id
LEFT JOIN read_json('{logs}/exposures/videos.jsonl.gz') v ON l.video_id = v.video_id
"""
SPLITS = {
    "train": "NOT evaluation AND NOT drawn",
    "validation": "NOT evaluation AND drawn",
    "evaluation": "evaluation",
}


def derive(logs: Path, out: Path) -> int:
    """Write a Parquet file for each split and return the number of rows read."""
    connection = duckdb.connect()
    connection.execute(DERIVED.format(logs=logs))
    for split, chosen in SPLITS.items():
        last_day = "day = (SELECT max(day) FROM derived) AS evaluation"
        query = f"SELECT *, {last_day} FROM derived WHERE {chosen}"  # noqa: S608
        connection.execute(f"COPY ({query}) TO '{out}/{split}.parquet' (COMPRESSION gzip)")
    [count] = connection.execute("SELECT count(*) FROM derived").fetchone()
    return count


if __name__ == "__main__":
    report_work(lambda: derive(Path(sys.argv[1]), Path(sys.argv[2])))
