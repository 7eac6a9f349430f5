"""KuaiRand-Pure: the official files, with the watched share of each video as a column."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path
from typing import Any

LOG = "log_standard_4_25_to_5_06_pure.csv.gz"
SIDE_TABLES = ("user_features_pure.csv.gz", "video_features_basic_pure.csv.gz")
_COMPLETE = 0.95
# Half of the width in the ready spec: as good on the validation part, in half of the time.
_WIDTH = 8


def convert(official: Path, folder: Path) -> None:
    """Add the column `watch_ratio` to the log: play time over duration, missing at duration 0."""
    for name in SIDE_TABLES:
        shutil.copyfile(official / name, folder / name)
    with (
        gzip.open(official / LOG, "rt", newline="") as source,
        (folder / "log_standard_with_ratio.csv").open("w", newline="") as target,
    ):
        rows = csv.reader(source)
        header = next(rows)
        played, duration = header.index("play_time_ms"), header.index("duration_ms")
        writer = csv.writer(target)
        writer.writerow([*header, "watch_ratio"])
        for row in rows:
            writer.writerow(
                [
                    *row,
                    float(row[played]) / float(row[duration]) if float(row[duration]) > 0 else "",
                ]
            )


def document(ready: dict[str, Any]) -> dict[str, Any]:
    """Return the ready spec with other tasks.

    The tasks are the five binary ones that gradient boosting was judged on, and the watch ratio in
    the place of PLE's VCR.
    """
    bounds = {"threshold": 0.0, "tolerance": 1.0}
    events = {
        "click": "is_click",
        "long_view": "long_view",
        "like": "is_like",
        "profile_enter": "is_profile_enter",
    }
    tasks: dict[str, dict[str, Any]] = {
        name: {
            "kind": "binary",
            "label": {"rule": "event", "column": column},
            "metric": "auc",
            **bounds,
        }
        for name, column in events.items()
    }
    for sparse in ("like", "profile_enter"):
        # The weight of 2 puts the best epoch of these tasks beside the best epoch of the others.
        tasks[sparse]["loss_weight"] = 2.0
    tasks["completion"] = {
        "kind": "binary",
        "label": {"rule": "at_least", "column": "watch_ratio", "threshold": _COMPLETE},
        "metric": "auc",
        **bounds,
    }
    tasks["watch_ratio_clipped"] = ready["tasks"]["watch_ratio"]
    fields = {
        name: {**field, "width": _WIDTH}
        if field["kind"] != "numeric" or field.get("transform") == "quantiles"
        else field
        for name, field in ready["fields"].items()
    }
    order = ("click", "long_view", "completion", "like", "profile_enter", "watch_ratio_clipped")
    histories = {"histories": ready["histories"]} if "histories" in ready else {}
    return {
        **histories,
        "name": ready["name"],
        "keys": ready["keys"],
        "logs": {
            **ready["logs"],
            "exposures": {"path": ["log_standard_with_ratio.csv"], "format": "csv"},
        },
        "split": {**ready["split"], "validation_share": 0.1},
        "fields": fields,
        "tasks": {name: tasks[name] for name in order},
        "ranking_formula": {"weights": {"click": 1.0}},
    }
