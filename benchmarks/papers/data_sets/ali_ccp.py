"""Ali-CCP (Ma et al., SIGIR 2018) in its official layout.

The data are impressions of Taobao with their clicks and the purchases after the clicks.

A line of `sample_skeleton_*.csv` is sample id, click, purchase, key of the common features, number
of features, features; one of `common_features_*.csv` is key, number of features, features. Features
are separated by U+0001; each is a field's id, U+0002, a value's id, U+0003 and a weight. Neither
file has a header. No checksums are published.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

PARTS = ("train", "test")
FILES = tuple(
    f"{kind}_{part}.csv" for part in PARTS for kind in ("sample_skeleton", "common_features")
)
_FEATURE_SEPARATOR, _FIELD_END, _VALUE_END = "\x01", "\x02", "\x03"
# The page of the data set explains the ids. Ids with an underscore are histories: many values,
# weighed by counts.
USER_FIELDS = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
USER_HISTORIES = ("109_14", "110_14", "127_14", "150_14")
ITEM_FIELDS = ("205", "206", "207", "210", "216", "508", "509", "702", "853")
CONTEXT_FIELDS = ("301",)
_FIELDS = (*USER_FIELDS, *USER_HISTORIES, *ITEM_FIELDS, *CONTEXT_FIELDS)
_LISTS = {*USER_HISTORIES, "210"}
_LONGEST_LIST = 20
_VALUE_SEPARATOR = "|"

# Values by field.
Features: TypeAlias = "dict[str, list[str]]"


class MalformedLineError(ValueError):
    """A line does not have the official layout."""


def convert(official: Path, folder: Path) -> None:
    """Join common features to samples and write `train.csv` and `test.csv`.

    The files have a column for each field and no header. The common features of a part are held in
    memory.

    Raises:
        MalformedLineError: a line does not have the official layout.
    """
    # A line of common features may be longer than the csv module's default of 131,072 characters.
    csv.field_size_limit(sys.maxsize)
    for part in PARTS:
        lines = _rows(official / f"common_features_{part}.csv", 3)
        common = {key: _features(text, place) for place, (key, _, text) in lines}
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as target:
            writer = csv.writer(target)
            for labels, features in _samples(official / f"sample_skeleton_{part}.csv", common):
                writer.writerow(
                    [
                        *labels,
                        *(_VALUE_SEPARATOR.join(features.get(field, [])) for field in _FIELDS),
                    ]
                )


def columns() -> list[str]:
    """Return the columns of the converted files: both labels, then the fields by official id."""
    return ["click", "purchase", *_FIELDS]


def document() -> dict[str, Any]:
    """Return the spec of the data set.

    Clicks are learnt over all impressions, and purchases over clicks, as in Table 5 of PLE. Half of
    the test file validates.
    """
    sides = dict.fromkeys((*USER_FIELDS, *USER_HISTORIES), "user")
    sides |= dict.fromkeys(ITEM_FIELDS, "item") | dict.fromkeys(CONTEXT_FIELDS, "context")
    fields = {}
    for name, side in sides.items():
        field = {"side": side, "column": name, "width": 8, "vocabulary": {"min_count": 10}}
        if name in _LISTS:
            field |= {
                "kind": "multi_categorical",
                "separator": _VALUE_SEPARATOR,
                "max_length": _LONGEST_LIST,
            }
        else:
            field["kind"] = "categorical"
        fields[f"field_{name}"] = field
    bounds = {"metric": "auc", "threshold": 0.0, "tolerance": 1.0}
    return {
        "name": "ali_ccp",
        "logs": {
            "exposures": {"path": ["train.csv", "test.csv"], "format": "csv", "columns": columns()},
            "deduplicate": False,
        },
        "split": {
            "evaluation_files": ["test.csv"],
            "validation_share": 0.1,
            "validation_of": "evaluation",
        },
        "fields": fields,
        "tasks": {
            "ctr": {"kind": "binary", "label": {"rule": "event", "column": "click"}, **bounds},
            "cvr": {
                "kind": "binary",
                "label": {"rule": "event", "column": "purchase"},
                "sample_space": {"event": "click"},
                **bounds,
            },
        },
        "ranking_formula": {"weights": {"ctr": 1.0, "cvr": 1.0}},
    }


def _samples(
    path: Path, common: Mapping[str, Features]
) -> Iterator[tuple[tuple[str, str], Features]]:
    for place, (_, click, purchase, key, _, own) in _rows(path, 6):
        if click not in ("0", "1") or purchase not in ("0", "1"):
            raise MalformedLineError(
                f"{place}: click and purchase are 0 or 1, received {click!r} and {purchase!r}"
            )
        if key not in common:
            raise MalformedLineError(f"{place}: there are no common features {key!r}")
        yield (click, purchase), {**common[key], **_features(own, place)}


def _rows(path: Path, width: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the place of each line, for errors, and its values."""
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if len(row) != width:
                raise MalformedLineError(
                    f"{path.name} line {number}: {width} values are expected, received {len(row)}"
                )
            yield f"{path.name} line {number}", row


def _features(text: str, place: str) -> Features:
    """Return the values of each field in the order of the file, as many as a column keeps."""
    result: Features = {}
    for feature in filter(None, text.split(_FEATURE_SEPARATOR)):
        field, has_value, rest = feature.partition(_FIELD_END)
        value, has_weight, _ = rest.partition(_VALUE_END)
        if not has_value or not has_weight:
            raise MalformedLineError(
                f"{place}: a feature is field U+0002 value U+0003 weight; received {feature!r}"
            )
        if field in _FIELDS and len(values := result.setdefault(field, [])) < (
            _LONGEST_LIST if field in _LISTS else 1
        ):
            values.append(value)
    return result
