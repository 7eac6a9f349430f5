"""IJCAI-15 (repeat buyers of Tmall) in the official layout `data_format1`.

The data are half a year of actions of users on items.
`user_log_format1.csv` has a line an action: user_id, item_id, cat_id, seller_id, brand_id,
time_stamp (mmdd) and action_type (0 click, 1 add to cart, 2 purchase, 3 favourite);
`user_info_format1.csv` has user_id, age_range and gender. Both have a header. No checksums are
published.

The MSSM paper predicts favourites and purchases. It does not say how it makes samples of actions.
Here a sample is a user, an item and a day on which the user acted on the item.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

LOG, USERS = "user_log_format1.csv", "user_info_format1.csv"
_KEYS = ["user_id", "item_id", "cat_id", "seller_id", "brand_id", "time_stamp"]
_PURCHASE, _FAVOURITE = 2, 3
# The log ends with the 12th of November 2014.
_YEAR = 2014


class LayoutError(ValueError):
    """A file does not have the official layout."""


def convert(official: Path, folder: Path) -> None:
    """Write `samples.csv`, with a line for each user, item and day.

    A line says whether the user bought the item or made it a favourite on that day.

    The actions, 55 million in the official file, are held in memory: about 4 GB.

    Raises:
        LayoutError: the header of the log differs from the official one.
    """
    import pandas as pd

    wanted = [*_KEYS, "action_type"]
    header = list(pd.read_csv(official / LOG, nrows=0).columns)
    if header != wanted:
        raise LayoutError(
            f"{LOG}: the columns {', '.join(wanted)} are expected, received {', '.join(header)}"
        )
    # A missing brand becomes 0.
    actions = pd.read_csv(
        official / LOG,
        dtype={name: "float32" if name == "brand_id" else "int32" for name in wanted},
    )
    actions["brand_id"] = actions["brand_id"].fillna(0).astype("int32")
    actions["favourite"] = actions["action_type"] == _FAVOURITE
    actions["purchase"] = actions["action_type"] == _PURCHASE
    samples = (
        actions.groupby(_KEYS, sort=False)[["favourite", "purchase"]]
        .max()
        .astype("int8")
        .reset_index()
    )
    samples["day"] = samples.pop("time_stamp") + _YEAR * 10_000
    samples.to_csv(folder / "samples.csv", index=False)
    shutil.copyfile(official / USERS, folder / USERS)


def document() -> dict[str, Any]:
    """Return the spec: favourites and purchases are learnt, and the last day judges."""
    from_log = {"kind": "categorical", "width": 8, "vocabulary": {"min_count": 5}}
    of_user = {"side": "user", "kind": "categorical", "width": 8, "table": "users"}
    bounds = {"metric": "auc", "threshold": 0.0, "tolerance": 1.0}
    return {
        "name": "ijcai15",
        "keys": {
            "user": "user_id",
            "item": "item_id",
            "event_time": {"column": "day", "unit": "yyyymmdd"},
        },
        "logs": {
            "exposures": {"path": ["samples.csv"], "format": "csv"},
            "tables": {"users": {"path": [USERS], "format": "csv", "key": "user_id"}},
        },
        "split": {"evaluation_days": 1},
        "fields": {
            "user_id": {"side": "user", **from_log},
            "age_range": of_user,
            "gender": of_user,
            "item_id": {"side": "item", **from_log},
            "cat_id": {"side": "item", **from_log},
            "seller_id": {"side": "item", **from_log},
            "brand_id": {"side": "item", **from_log},
        },
        "tasks": {
            name: {"kind": "binary", "label": {"rule": "event", "column": name}, **bounds}
            for name in ("favourite", "purchase")
        },
        "ranking_formula": {"weights": {"favourite": 1.0, "purchase": 1.0}},
    }
