"""Vectors of logs and of side tables, from each format to the examples that the schema describes."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_spec.loading import parse_spec
from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.ingested import Ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SPEC = """
name: tiny
keys: {request: request_id, item: item_id}
logs:
  exposures: {path: "log.*", format: FORMAT}
  tables: {items: {path: "items*", format: jsonl, key: item_id}}
  max_rejected_share: 0.9
split: {evaluation_share: 0.5, validation_share: 0.2}
serving: {export_tables: true}
fields:
  item: {side: item, kind: categorical, column: item_id}
  look: {side: item, kind: vector, dimension: 2, table: items}
  taste: {side: user, kind: vector, dimension: 3, separator: ";"}
tasks:
  click: {kind: binary, label: {rule: event, column: clicked}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
"""
LOOKS = {"i0": [0.5, -1.0], "i1": None, "i2": [1.0], "i3": [2, 3]}
TASTES: list[Any] = [[1.0, 2.0, 3.0], None, [0.25, 0.5], [], [1.0, 2.0, 1e39]]


def rows() -> list[dict[str, Any]]:
    return [
        {"request_id": f"r{n}", "item_id": f"i{n % 5}", "clicked": n % 2, "taste": TASTES[n % 5]}
        for n in range(40)
    ]


def written(folder: Path, kind: str) -> None:
    folder.mkdir()
    tables = [{"item_id": item, "look": look} for item, look in LOOKS.items()]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tables))
    if kind == "jsonl":
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    elif kind == "csv":
        with (folder / "log.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows()[0]))
            writer.writeheader()
            for row in rows():
                writer.writerow({**row, "taste": ";".join(map(str, row["taste"] or []))})
    else:
        kinds = {"taste": pa.list_(pa.float64())}
        columns = {name: [row[name] for row in rows()] for name in rows()[0]}
        table = {name: pa.array(values, kinds.get(name)) for name, values in columns.items()}
        pq.write_table(pa.table(table), folder / "log.parquet")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_every_line_gives_its_vectors_or_its_reason(kind: str, tmp_path: Path) -> None:
    from tfx_bsl.coders import example_coder

    from pipeline.validate.schema import schema_from_spec

    spec = parse_spec(SPEC.replace("FORMAT", kind))
    written(tmp_path / "logs", kind)
    run = Ingested(IngestSettings.from_spec(spec), tmp_path / "logs", tmp_path / "out")
    examples = {one["request_key"][0].decode(): one for one in run.features()}
    # Of 40 lines, 8 have two values and 8 a number beyond float32.
    assert run.summary.lines == 40
    assert run.summary.rejected == {"wrong_length": 8, "out_of_range": 8}
    assert sum(run.summary.examples.values()) == len(examples) == 24
    for number in range(40):
        if number % 5 in (2, 4):
            assert f"r{number}" not in examples
            continue
        one = examples[f"r{number}"]
        assert one.get("taste", []) == (TASTES[number % 5] or [])
        # The row of i2 is rejected, and i4 has none.
        look = LOOKS.get(f"i{number % 5}")
        assert one.get("look", []) == (look if look and len(look) == 2 else [])
    assert run.summary.tables["items"].rejected == {"wrong_length": 1}
    with gzip.open(tmp_path / "out" / "tables" / "items.jsonl.gz", "rt") as lines:
        exported = [json.loads(line) for line in lines][1:]
    assert {row["key"]: row["fields"] for row in exported} == {
        "i0": {"look": [0.5, -1.0]},
        "i1": {},
        "i3": {"look": [2.0, 3.0]},
    }
    # The schema reads what ingestion wrote.
    serialised = [example for split in ("train", "evaluation") for example in run.examples(split)]
    schema = schema_from_spec(spec)
    batch = example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString()).DecodeBatch(
        serialised
    )
    lengths = {len(one) for one in batch["taste"].to_pylist() if one is not None}
    assert lengths == {3}
