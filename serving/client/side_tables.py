"""Side tables that fill in a request's fields, so that it names users and items only.

A table has a row of fields for each key: the value of the column by which ingestion joins the table
to the exposures. A version that was pushed with `serving.export_tables` carries its tables in
`assets.extra/tables`, a file `NAME.jsonl.gz` each, with a line `{"key": …, "fields": {…}}` a row.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from feature_spec.fields.values import category_text
from feature_spec.names import EXPORTED_TABLES, SERVING_MODEL
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from serving.client.types import Candidate, FieldValue, RankingRequest

Row = Mapping[str, FieldValue]
_FILE = ".jsonl.gz"


class SideTables:
    """The rows of side tables by key.

    Args:
        spec: The feature spec, whose section `logs.tables` names the tables and their keys.
        tables: Rows of fields by key, by table. A value of the request goes before one of a table.

    Raises:
        ValueError: The spec has no such table, a row has a field of another place, or no field of
            the spec is a table's key, so that no request could name its rows.
    """

    def __init__(self, spec: FeatureSpec, tables: Mapping[str, Mapping[str, Row]]) -> None:
        self._tables: dict[str, tuple[str, str, Mapping[str, Row]]] = {}
        self._sides = {name: field.side for name, field in spec.fields.items()}
        for name, rows in tables.items():
            if name not in spec.logs.tables:
                raise ValueError(
                    f"tables.{name}: spec {spec.name} has no such side table: "
                    f"{closest_names(name, spec.logs.tables)}"
                )
            own = {field for field, given in spec.fields.items() if given.table == name}
            if unknown := {field for row in rows.values() for field in row} - own:
                raise ValueError(
                    f"tables.{name}: {', '.join(sorted(unknown))}: no field of this table; its "
                    f"fields are {', '.join(sorted(own))}"
                )
            key = _key_field(spec, name)
            self._tables[name] = (key, spec.fields[key].side, rows)

    @classmethod
    def read(cls, spec: FeatureSpec, folder: Path | str) -> SideTables:
        """Read the tables that came with a model.

        Args:
            spec: The feature spec.
            folder: A pipeline root, whose newest version is taken, a version, or a folder of files
                `NAME.jsonl.gz`.

        Raises:
            ValueError: There is no table, or a file is not one.
        """
        place = _place(Path(folder))
        files = sorted(place.glob(f"*{_FILE}"))
        if not files:
            raise ValueError(
                f"{folder}: no side tables in {place}: run the pipeline with "
                "serving.export_tables: true, or give the rows themselves"
            )
        return cls(spec, {file.name.removesuffix(_FILE): _rows(file) for file in files})

    def filled(self, request: RankingRequest) -> RankingRequest:
        """Return a request with the fields that its keys have in the tables, beside its own."""
        user, context = dict(request.user), dict(request.context)
        of_side = {"user": user, "context": context}
        items = [dict(candidate.fields) for candidate in request.candidates]
        for key, side, rows in self._tables.values():
            if side == "item":
                for item in items:
                    for name, value in self._row(rows, item.get(key)).items():
                        item.setdefault(name, value)
                continue
            for name, value in self._row(rows, of_side[side].get(key)).items():
                if self._sides[name] == "item":
                    for item in items:
                        item.setdefault(name, value)
                else:
                    of_side[self._sides[name]].setdefault(name, value)
        return replace(
            request,
            user=user,
            context=context,
            candidates=[
                # The answer shows the caller's own candidates.
                Candidate(fields=item, id=candidate.id)
                for item, candidate in zip(items, request.candidates, strict=True)
            ],
        )

    @staticmethod
    def _row(rows: Mapping[str, Row], key: FieldValue) -> Row:
        if key is None or isinstance(key, list | tuple):
            return {}
        try:
            return rows.get(category_text(key), {})
        except ValueError:
            return {}  # what is wrong with it is said where the request is read


def _key_field(spec: FeatureSpec, table: str) -> str:
    """Return the field of a request that names the row of a table."""
    described = spec.logs.tables[table]
    column = described.exposure_key or described.key
    for name, field in spec.fields.items():
        if field.table is None and field.history is None and (field.column or name) == column:
            return name
    raise ValueError(
        f"tables.{table}: no field of spec {spec.name} is the column {column!r} of the log, by "
        "which the table is joined, so that no request can name its rows"
    )


def _place(folder: Path) -> Path:
    parent = folder / SERVING_MODEL
    versions = [child for child in parent.glob("*") if child.name.isdecimal()]
    version = max(versions, key=lambda child: int(child.name)) if versions else folder
    tables = version / EXPORTED_TABLES
    return tables if tables.is_dir() else version


def _rows(file: Path) -> dict[str, Row]:
    rows = {}
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                rows[row["key"]] = row["fields"]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: is no side table: {error}") from error
    return rows
