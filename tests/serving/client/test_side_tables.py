"""Side tables fill in the fields of users and items that a request only names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from feature_spec.loading import parse_spec
from serving.client.side_tables import SideTables
from serving.client.types import Candidate, RankingRequest

SPEC = parse_spec("""
name: shop
keys: {user: uid, item: sku}
logs:
  exposures: {path: "*.jsonl", format: jsonl}
  tables:
    users: {path: users, format: csv, key: id, exposure_key: uid}
    items: {path: items, format: csv, key: sku}
    shops: {path: shops, format: csv, key: shop}
split: {evaluation_files: ["*"]}
fields:
  user: {side: user, kind: categorical, column: uid}
  region: {side: user, kind: categorical, table: users}
  sku: {side: item, kind: categorical}
  price: {side: item, kind: numeric, table: items}
  tags: {side: item, kind: multi_categorical, table: items}
  rating: {side: item, kind: numeric, table: shops}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
""")
USERS = {"u1": {"region": "north"}}
ITEMS = {"7": {"price": 9.5, "tags": ["x", "y"]}, "8": {"price": 2.0}}


def test_a_request_names_users_and_items_and_the_tables_know_the_rest() -> None:
    tables = SideTables(SPEC, {"users": USERS, "items": ITEMS})
    candidates = [Candidate(fields={"sku": sku}, id=sku) for sku in ("8", "7", "unknown")]
    filled = tables.filled(RankingRequest(user={"user": "u1"}, candidates=candidates, id=3))
    assert (filled.user, filled.id) == ({"user": "u1", "region": "north"}, 3)
    assert [candidate.fields for candidate in filled.candidates] == [
        {"sku": "8", "price": 2.0},
        {"sku": "7", "price": 9.5, "tags": ["x", "y"]},
        {"sku": "unknown"},
    ]


def test_values_of_the_request_go_before_those_of_a_table_also_missing_ones() -> None:
    tables = SideTables(SPEC, {"items": ITEMS})
    candidates = [Candidate(fields={"sku": "7", "price": 1.0, "tags": None})]
    [filled] = tables.filled(RankingRequest(candidates=candidates)).candidates
    assert filled.fields == {"sku": "7", "price": 1.0, "tags": None}


def test_a_key_is_read_as_ingestion_reads_it_so_that_a_number_names_a_row() -> None:
    tables = SideTables(SPEC, {"items": ITEMS})
    [filled] = tables.filled(RankingRequest(candidates=[Candidate(fields={"sku": 8})])).candidates
    assert filled.fields == {"sku": 8, "price": 2.0}


def test_a_row_whose_key_is_a_number_is_found_by_the_number_and_by_its_text() -> None:
    tables = SideTables(SPEC, {"items": {8: {"price": 2.0}}})
    candidates = [Candidate(fields={"sku": sku}) for sku in (8, "8", 9)]
    filled = tables.filled(RankingRequest(candidates=candidates)).candidates
    assert [one.fields.get("price") for one in filled] == [2.0, 2.0, None]


def test_tables_that_do_not_fit_the_spec_are_refused() -> None:
    with pytest.raises(ValueError, match="tables.item: spec shop has no such side table: did you"):
        SideTables(SPEC, {"item": ITEMS})
    with pytest.raises(
        ValueError, match="tables.items: region: no field of this table; its fields"
    ):
        SideTables(SPEC, {"items": USERS})
    with pytest.raises(
        ValueError, match="tables.shops: no field of spec shop is the column 'shop'"
    ):
        SideTables(SPEC, {"shops": {}})


def test_the_tables_of_the_newest_version_of_a_root_are_read(tmp_path: Path) -> None:
    for version, price in (("9", 1.0), ("10", 2.0)):
        folder = tmp_path / "serving_model" / version / "assets.extra" / "tables"
        folder.mkdir(parents=True)
        row = {"key": "8", "fields": {"price": price}, "display": f"Film of {version}"}
        with gzip.open(folder / "items.jsonl.gz", "wt") as file:
            file.write(f'{{"key_field": "sku"}}\n{json.dumps(row)}\n')
    request = RankingRequest(candidates=[Candidate(fields={"sku": "8"})])
    for place, price in ((tmp_path, 2.0), (tmp_path / "serving_model" / "9", 1.0)):
        [filled] = SideTables.read(SPEC, place).filled(request).candidates
        assert filled.fields["price"] == price
        assert filled.display == ("Film of 10" if price == 2.0 else "Film of 9")


def test_the_text_for_people_is_that_of_the_item_unless_the_request_has_one(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "items.jsonl.gz", "wt") as file:
        file.write('{"key_field": "sku"}\n{"key": "8", "fields": {}, "display": "Alien"}\n')
    candidates = [
        Candidate(fields={"sku": 8}),
        Candidate(fields={"sku": "8"}, display="mine"),
        Candidate(fields={"sku": "9"}),
    ]
    filled = SideTables.read(SPEC, tmp_path).filled(RankingRequest(candidates=candidates))
    assert [one.display for one in filled.candidates] == ["Alien", "mine", None]


def test_a_table_whose_key_the_spec_does_not_have_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "items.jsonl.gz", "wt") as file:
        file.write('{"key_field": "film"}\n')
    with pytest.raises(ValueError, match="its key is the field 'film', which spec shop has not"):
        SideTables.read(SPEC, tmp_path)


def test_a_folder_without_tables_and_a_file_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no side tables in .*: run the pipeline with serving.exp"):
        SideTables.read(SPEC, tmp_path)
    (tmp_path / "items.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"items.jsonl.gz: is no side table: Not a gzipped file"):
        SideTables.read(SPEC, tmp_path)
