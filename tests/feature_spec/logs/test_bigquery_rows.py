"""A log in BigQuery, as the spec describes it."""

from __future__ import annotations

import datetime

import pytest

from feature_spec.loading import SpecError, parse_spec
from feature_spec.logs.bigquery import BigQueryRows

DAY = datetime.date(2022, 5, 1)


@pytest.mark.parametrize(
    ("of_all", "of_the_day"),
    [
        ({"table": "acme.d.shown_{day:%Y%m%d}"}, {"table": "acme.d.shown_20220501"}),
        ({"table": "acme.d.shown${day:%Y%m%d}"}, {"table": "acme.d.shown$20220501"}),
        (
            {"query": "SELECT * FROM d.t WHERE day = '{day}'"},
            {"query": "SELECT * FROM d.t WHERE day = '2022-05-01'"},
        ),
    ],
)
def test_rows_are_those_of_a_day(of_all: dict[str, str], of_the_day: dict[str, str]) -> None:
    rows = BigQueryRows(**of_all)
    assert rows.has_day
    assert rows.of_day(DAY) == BigQueryRows(**of_the_day)
    with pytest.raises(ValueError, match="is one day's: run it by span"):
        rows.of_day(None)


def test_rows_without_a_place_are_the_same_on_all_days() -> None:
    rows = BigQueryRows(table="acme.d.shown")
    assert not rows.has_day
    assert rows.of_day(DAY) == rows.of_day(None) == rows


def test_other_braces_of_a_query_are_its_own() -> None:
    rows = BigQueryRows(
        query=r"SELECT * FROM d.t WHERE day = '{day}' AND REGEXP_CONTAINS(id, r'^u\d{3}$')"
    )
    of_the_day = rows.of_day(DAY).query
    assert (
        of_the_day
        == r"SELECT * FROM d.t WHERE day = '2022-05-01' AND REGEXP_CONTAINS(id, r'^u\d{3}$')"
    )
    assert BigQueryRows.model_validate({"query": of_the_day}).query == of_the_day


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("bigquery: {table: d.t}", "exposures.bigquery.table: a table is given as 'project.dataset.table', received 'd.t'"),
        ("bigquery: {table: acme.d.t, query: SELECT 1}", "exposures.bigquery: needs either 'table' or 'query', received both"),
        ("bigquery: {method: EXPORT}", "exposures.bigquery: needs either 'table' or 'query', received none"),
        ("bigquery: {table: acme.d.t, use_standard_sql: true}", "'use_standard_sql' only has an effect with 'query'"),
        ("bigquery: {table: acme.d.t, method: DIRECT_READ, gcs_location: gs://b/f}", "'gcs_location' only has an effect with method 'EXPORT'"),
        ("bigquery: {table: acme.d.t, method: READ}", "exposures.bigquery.method: Input should be 'EXPORT' or 'DIRECT_READ' (received 'READ')"),
        ("bigquery: {table: acme.d.t, gcs_location: /tmp}", "exposures.bigquery.gcs_location: String should match pattern '^gs://.'"),
        ("bigquery: {query: SELECT 1, temp_dataset: d}", "exposures.bigquery.temp_dataset: String should match pattern"),
        ("bigquery: {table: 'acme.d.t_{date}'}", "the only thing in braces is 'day'"),
        ("bigquery: {query: \"x = '{day:%m%d}'\"}", "'%m%d' does not tell all days apart"),
        ("bigquery: {table: acme.d.t, shards: 0}", "exposures.bigquery.shards: Input should be greater than 0"),
        ("bigquery: {tabel: acme.d.t}", "unknown key 'tabel': did you mean 'table'?"),
        ("bigquery: {table: acme.d.t}, format: jsonl", "'format' has no effect with 'bigquery'"),
        ("bigquery: {table: acme.d.t}, path: a.jsonl", "needs one of 'path', 'bigquery' and 'kafka', received 'path' and 'bigquery'"),
        ("format: jsonl", "exposures: needs one of 'path', 'bigquery' and 'kafka', received none"),
        ("path: a.jsonl", "exposures: 'path' needs a 'format'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(
    spec_text: str, source: str, message: str
) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec(_with_exposures(spec_text, source))
    assert message in str(error.value)


def test_files_cannot_judge_where_there_are_none(spec_text: str) -> None:
    text = _with_exposures(spec_text, "bigquery: {table: acme.d.t}").replace(
        "evaluation_days: 1", "evaluation_files: [a]"
    )
    with pytest.raises(
        SpecError,
        match=r"split.evaluation_files: bigquery:acme.d.t has no files; give 'evaluation_days'",
    ):
        parse_spec(text)


def test_a_table_is_read_anew_unless_by_day(spec_text: str) -> None:
    of_all = parse_spec(_with_exposures(spec_text, "bigquery: {table: acme.d.t}")).logs
    of_a_day = parse_spec(
        _with_exposures(spec_text, "bigquery: {table: 'acme.d.t_{day:%Y%m%d}'}")
    ).logs
    files = parse_spec(spec_text).logs
    assert [logs.are_read_anew(by_day=False) for logs in (of_all, files)] == [True, False]
    assert [logs.are_read_anew(by_day=True) for logs in (of_all, of_a_day, files)] == [
        True,
        False,
        False,
    ]


def _with_exposures(spec_text: str, source: str) -> str:
    lines = spec_text.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith("exposures:")]
    lines[at] = f"  exposures: {{{source}}}"
    return "\n".join(lines)
