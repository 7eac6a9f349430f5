"""Side tables that fill in a request's fields, so that it names users and items only.

A table has a row of fields for each key: the value of the column by which ingestion joins the table
to the exposures. A version that was pushed with `serving.export_tables` carries its tables in
`assets.extra/tables`, a file `NAME.jsonl.gz` each: a line `{"key_field": …}`, which names the field
with the keys, then a line `{"key": …, "fields": {…}, "display": …}` a row.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from feature_spec.artifacts.newest_outputs import newest_version
from feature_spec.fields.field import VectorField
from feature_spec.fields.values import category_text
from feature_spec.names import EXPORTED_TABLES, SERVING_MODEL
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from serving.client.types import FieldValue, RankingRequest

Row = Mapping[str, FieldValue]
_FILE = ".jsonl.gz"


class SideTables:
    """The rows of side tables by key.

    Args:
        spec: The feature spec, whose section `logs.tables` names the tables and their keys.
        tables: Rows of fields by key, text or number, by table. A value of the request goes before
            one of a table.

    Raises:
        ValueError: The spec has no such table, a row has a field of another place, or no field of
            the spec is a table's key, so that no request could name its rows.
    """

    def __init__(
        self, spec: FeatureSpec, tables: Mapping[str, Mapping[str, Row] | Mapping[int, Row]]
    ) -> None:
        self._sides = {name: field.side for name, field in spec.fields.items()}
        self._lists = {
            name: field.weights_of
            for name, field in spec.fields.items()
            if isinstance(field, VectorField) and field.weights_of is not None
        }
        self._tables: list[_Table] = []
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
            by_text = {_key_text(key): row for key, row in rows.items()}
            self._tables.append(_Table(_key_field(spec, name), by_text, {}))

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
        read = cls(spec, {})
        for file in files:
            table = _table(file)
            if table.key_field not in spec.fields:
                raise ValueError(
                    f"{file}: its key is the field {table.key_field!r}, which spec {spec.name} "
                    "has not"
                )
            read._tables.append(table)
        return read

    def filled(self, request: RankingRequest) -> RankingRequest:
        """Return a request with the fields that its keys have in the tables, beside its own.

        Candidates also get the texts for people that the tables have of them.
        """
        user, context = dict(request.user), dict(request.context)
        of_side = {"user": user, "context": context}
        items = [dict(candidate.fields) for candidate in request.candidates]
        for table in self._tables:
            side = self._sides[table.key_field]
            if side == "item":
                for item in items:
                    self._fill(table.row(item.get(table.key_field)), {"item": [item]})
            else:
                row = table.row(of_side[side].get(table.key_field))
                self._fill(row, {"user": [user], "context": [context], "item": items})
        candidates = [
            replace(candidate, fields=item, display=candidate.display or self.display(item))
            for item, candidate in zip(items, request.candidates, strict=True)
        ]
        return replace(request, user=user, context=context, candidates=candidates)

    def display(self, fields: Mapping[str, FieldValue]) -> str | None:
        """Return the text for people of an item, by its fields; None if no table has one."""
        for table in self._tables:
            if self._sides[table.key_field] == "item":
                text = table.displays.get(_key_text(fields.get(table.key_field)))
                if text is not None:
                    return text
        return None

    def _fill(self, row: Row, rows: Mapping[str, Sequence[dict[str, FieldValue]]]) -> None:
        for name, value in row.items():
            of_list = self._lists.get(name)
            for filled in rows.get(self._sides.get(name, ""), ()):
                # The table's weights are of its own values, not of those of the request.
                if of_list not in filled or filled[of_list] is row.get(of_list):
                    filled.setdefault(name, value)


@dataclass(frozen=True)
class _Table:
    """A side table: the field with its key, and by key the fields and the texts for people."""

    key_field: str
    rows: Mapping[str, Row]
    displays: Mapping[str, str]

    def row(self, key: FieldValue) -> Row:
        return self.rows.get(_key_text(key), {})


def _key_text(key: FieldValue) -> str:
    """Return a key as ingestion reads it; "" for none."""
    if key is None or isinstance(key, list | tuple):
        return ""
    try:
        return category_text(key)
    except ValueError:
        return ""  # what is wrong with it is said where the request is read


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
    version = newest_version(folder / SERVING_MODEL) or folder
    tables = version / EXPORTED_TABLES
    return tables if tables.is_dir() else version


def _table(file: Path) -> _Table:
    rows, displays = {}, {}
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            key_field = str(json.loads(next(lines))["key_field"])
            for line in lines:
                row = json.loads(line)
                rows[row["key"]] = row["fields"]
                if "display" in row:
                    displays[row["key"]] = str(row["display"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ValueError(f"{file}: is no side table: {error}") from error
    return _Table(key_field, rows, displays)
