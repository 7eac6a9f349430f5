"""A run begins with a look at its logs: what cannot end well does not begin."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from feature_spec.loading import load_spec, parse_spec
from pipeline.log_look.looking import Findings
from pipeline.run.first_look import first_look, hopeless
from pipeline.spans.span_window import SpanWindow
from tests.pipeline.ingest.conftest import SPEC, logs

__all__ = ["logs"]
WINDOW = SpanWindow(
    training_days=[datetime.date(2022, 5, 1)], evaluation_day=datetime.date(2022, 5, 2)
)


def test_logs_elsewhere_and_tables_are_not_looked_at() -> None:
    nothing = Findings(None, [], [])
    assert first_look(load_spec("short_video"), "gs://bucket/logs", None) == nothing
    table = yaml.safe_load(SPEC)
    table["logs"] = {"exposures": {"bigquery": {"table": "acme.logs.shown"}}}
    table["fields"] = {"item": {"side": "item", "kind": "categorical", "column": "item_id"}}
    assert first_look(parse_spec(yaml.safe_dump(table)), "/nowhere", None) == nothing


def test_the_day_that_judges_is_looked_at(tmp_path: Path) -> None:
    [failure] = first_look(load_spec("short_video"), str(tmp_path), WINDOW).failures
    assert "day=2022-05-02/*.jsonl.gz" in failure


@pytest.mark.parametrize(
    ("window", "node"), [(None, "LogsExampleGen"), (WINDOW, "LogsExampleGen-2022-05-02")]
)
def test_a_failure_is_that_of_the_node_which_would_have_failed(
    window: SpanWindow | None, node: str
) -> None:
    failure = hopeless(Findings(None, ["not as the spec says\n  fields.x: no column"], []), window)
    assert failure is not None
    assert (failure.node, failure.cause) == (node, "ValueError: not as the spec says")
    assert failure.details.endswith("no column")


def test_logs_with_rejected_lines_are_ingested_all_the_same(logs: Path) -> None:
    # Ingestion keeps the rejected lines, which `fulcrum rejects` shows.
    with (logs / "day0.jsonl").open("a") as file:
        file.write("no line\n" * 200)
    found = first_look(parse_spec(SPEC), str(logs), None)
    assert "200 of the log's 300 lines were rejected" in found.failures[0]
    assert hopeless(found, None) is None


def test_a_run_on_wrong_logs_ends_before_tensorflow_is_loaded(tmp_path: Path, logs: Path) -> None:
    spec, report = tmp_path / "spec.yaml", tmp_path / "report.json"
    spec.write_text(SPEC.replace("column: clicked", "column: click"))
    words = ["run", "--spec", str(spec), "--logs", str(logs), "--root", str(tmp_path / "root")]
    code = (
        "import sys\nfrom fulcrum.cli import main\n"
        f"sys.argv = {['fulcrum', *words, '--json', str(report)]!r}\n"
        "try: main()\n"
        "finally: print({'tensorflow', 'apache_beam'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "set()", done.stderr
    failure = json.loads(report.read_text())["failure"]
    assert failure["node"] == "LogsExampleGen"
    assert "tasks.click.label.column: no column 'click'" in failure["details"]
    assert "did you mean 'clicked'?" in done.stdout
