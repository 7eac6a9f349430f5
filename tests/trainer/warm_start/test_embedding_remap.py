"""Rows go with what they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from feature_spec.loading import parse_spec
from trainer.network.vocabulary import Vocabulary
from trainer.warm_start.embedding_remap import TableRows, remap_rows

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  user: {side: user, kind: categorical, width: 4, vocabulary: {oov_buckets: 2}}
  recent: {side: user, kind: sequence, shares: item}
  item: {side: item, kind: categorical, width: 4}
  shop: {side: item, kind: categorical, width: 4, hash_buckets: 3}
  age_days: {side: item, kind: numeric, transform: quantiles, buckets: 2, width: 2}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
# Rows of width 4: 0 user missing, 1 and 2 its OOV buckets; 3 item missing, 4 its OOV bucket; 5 shop
# missing, 6 to 8 its hash buckets; 9 and on the vocabulary. Rows of width 2: 0 missing, 1 and 2 the
# quantile buckets.
RESERVED = list(range(9))


def table_rows(entries: Sequence[str], spec: str = SPEC) -> TableRows:
    return TableRows(
        parse_spec(spec),
        {
            "vocabulary_4": Vocabulary.of_entries(
                entry.replace("=", "\x1f").encode() for entry in entries
            )
        },
    )


def moved(before: TableRows, now: TableRows, width: int = 4) -> dict[int, int]:
    """The earlier row of each row that has one."""
    rows = remap_rows(before, now, width)
    assert len(set(rows.now.tolist())) == len(rows.now)
    return dict(zip(rows.now.tolist(), rows.before.tolist(), strict=True))


def test_rows_move_with_their_values_and_new_values_have_none() -> None:
    before = table_rows(["item=a", "user=u", "item=b"])  # rows 9, 10, 11
    now = table_rows(["user=v", "item=b", "item=a"])  # rows 9, 10, 11; v is new, u has gone
    assert moved(before, now) == {row: row for row in RESERVED} | {10: 11, 11: 9}


def test_equal_values_of_two_fields_are_kept_apart() -> None:
    assert moved(table_rows(["item=a"]), table_rows(["user=a"])) == {row: row for row in RESERVED}


def test_reserved_rows_move_with_their_field() -> None:
    # Without the user, item's rows are 0 and 1, shop's 2 to 5, and the vocabulary begins at 6.
    without_user = "\n".join(line for line in SPEC.splitlines() if not line.startswith("  user:"))
    before, now = table_rows(["user=u", "item=a"]), table_rows(["item=a"], without_user)
    assert moved(before, now) == {0: 3, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 10}


def test_buckets_of_another_number_begin_afresh() -> None:
    # Shop has rows 5 to 9 now; that of a missing value still means the same.
    assert moved(
        table_rows([]), table_rows([], SPEC.replace("hash_buckets: 3", "hash_buckets: 4"))
    ) == {row: row for row in range(6)}


def test_buckets_of_another_kind_begin_afresh() -> None:
    # As many rows, but what was drawn by hash is an OOV bucket now.
    now = table_rows([], SPEC.replace("hash_buckets: 3", "vocabulary: {oov_buckets: 3}"))
    assert moved(table_rows([]), now) == {row: row for row in range(6)}


def test_quantile_buckets_keep_their_order() -> None:
    assert moved(table_rows([]), table_rows([]), width=2) == {0: 0, 1: 1, 2: 2}


def test_a_field_of_another_width_begins_afresh() -> None:
    now = TableRows(
        parse_spec(SPEC.replace("kind: categorical, width: 4}", "kind: categorical, width: 8}")), {}
    )
    assert moved(table_rows(["item=a"]), now, width=8) == {}
