"""Ingestion in one pass of pandas: read, drop duplicates, join, label, split, write.

Arguments: folder of the logs, folder of the output.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.worker import report_work


def derive(logs: Path, out: Path) -> int:
    """Write a Parquet file for each split and return the number of rows read."""
    rows = pd.read_csv(logs / "csv" / "exposures.csv")
    count = len(rows)
    rows = rows.drop_duplicates()
    for table, key in (("users", "user_id"), ("videos", "video_id")):
        rows = rows.merge(
            pd.read_json(logs / "exposures" / f"{table}.jsonl.gz", lines=True), how="left", on=key
        )
    rows["label_of_vtr"] = (rows["play_s"] >= 5).astype(float)
    rows["label_of_vcr"] = (rows["play_s"] / rows["duration_s"]).clip(upper=1.0)
    rows["label_of_shr"] = rows["shared"].where(rows["played"] > 0).astype(float)
    rows["label_of_cmr"] = rows["commented"].where(rows["played"] > 0).astype(float)
    rows["label_of_ctr"] = rows["clicked"].where(rows["scenario"] == "click").astype(float)
    day = rows["time_ms"] // 86_400_000
    drawn = pd.util.hash_pandas_object(rows[["request_id", "video_id"]], index=False) % 20 == 0
    evaluation = day == day.max()
    for split, chosen in (
        ("train", ~evaluation & ~drawn),
        ("validation", ~evaluation & drawn),
        ("evaluation", evaluation),
    ):
        rows[chosen].to_parquet(out / f"{split}.parquet", compression="gzip")
    return count


if __name__ == "__main__":
    report_work(lambda: derive(Path(sys.argv[1]), Path(sys.argv[2])))
