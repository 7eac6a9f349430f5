"""Whatever a file holds, the spec that is proposed for it is valid."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_spec.checking import checked_spec
from pipeline.log_look.looking import findings
from pipeline.spec_init.spec_file import write_spec

NAMES = st.one_of(
    st.sampled_from(
        ["user_id", "item_id", "time", "click", "class", "labels", "rating", "101", "a b", "User_ID",
         "label_of_x", "play_time", "duration", "behavior", "tags", "request", "l2", "self", "#"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
)  # fmt: skip
NUMBERS = st.one_of(st.integers(-5, 5), st.integers(0, 10**15), st.floats(-1e6, 1e6))
TEXTS = st.one_of(
    st.sampled_from(["pv", "buy", "a|b", "b|c", "", "NULL", "true", "false", "2024-01-01", "x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
VALUES = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.lists(st.sampled_from("abc"), max_size=3),
    st.dictionaries(st.just("k"), NUMBERS, max_size=1),
)  # fmt: skip


def columns_of(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, list[Any]]]:
    rows = st.shared(st.integers(1, 40), key="rows")
    column = rows.flatmap(
        lambda count: st.one_of(
            st.lists(kinds, min_size=count, max_size=count),
            st.lists(st.sampled_from([0, 1]), min_size=count, max_size=count),
            st.lists(st.integers(1_600_000_000, 1_600_900_000), min_size=count, max_size=count),
            st.lists(st.sampled_from(["pv", "buy", "fav"]), min_size=count, max_size=count),
        )
    )
    return st.dictionaries(NAMES, column, min_size=1, max_size=8)


def check(content: str, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder) / f"log{suffix}", Path(folder) / "spec.yaml"
        log.write_text(content, encoding="utf-8", newline="")
        try:
            write_spec([log], {}, {}, name="proposed", out=out)
        except ValueError as error:
            # A file that ingestion cannot read has no spec; any other problem would be ours.
            known = (
                "is empty",
                "is no text",
                "is a JSON array",
                "can be read as",
                "twice",
                "no columns that a spec can name",
            )
            assert any(text in str(error) for text in known), error  # noqa: PT017
            return
        spec = checked_spec(str(out))
        found = findings(spec, folder, 10_000)
        assert not any("no column" in failure for failure in found.failures)


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(columns_of(VALUES))
def test_json_lines(columns: dict[str, list[Any]]) -> None:
    rows = zip(*columns.values(), strict=True)
    check(
        "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows), ".jsonl"
    )


@SLOW
@given(columns_of(st.one_of(NUMBERS, TEXTS)), st.sampled_from(",\t|;"), st.booleans())
def test_csv(columns: dict[str, list[Any]], delimiter: str, header: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    if header:
        writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    check(text.getvalue(), ".csv")
