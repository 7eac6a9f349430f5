"""Days of runs by span go on from each other's histories, and are ingested once."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from pipeline.ingest.accounting.summary import IngestSummary
from tests.pipeline.ingest.histories.known import spec
from tests.pipeline.ingest.histories.test_state import ingested_log

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def test_a_span_goes_on_from_the_state_that_an_earlier_run_left(tmp_path: Path) -> None:
    from tfx.orchestration import metadata
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.runner.local_runner import NodeRun, run_pipeline
    from pipeline.spans.span_nodes import span_nodes
    from pipeline.spans.span_window import SpanWindow

    logs = ingested_log(tmp_path)
    of = spec(warm_up_days=1)
    days = [datetime.date(2024, 10, number) for number in (4, 5, 6, 7)]

    def run(training: datetime.date, judging: datetime.date) -> dict[str, NodeRun]:
        window = SpanWindow(training_days=[training], evaluation_day=judging)
        span = span_nodes(of, str(logs), window)
        pipeline = Pipeline(
            pipeline_name="histories",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[*span.ingestion, span.example_gen],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.sqlite")
            ),
            enable_cache=True,
            beam_pipeline_args=["--direct_running_mode=in_memory"],
        )
        return {one.node: one for one in run_pipeline(pipeline)}

    def uri(node: NodeRun) -> Path:
        (examples,) = node.outputs["examples"]
        return Path(examples.uri)

    def summary(node: NodeRun) -> IngestSummary:
        return IngestSummary.model_validate_json((uri(node) / "ingest_summary.json").read_text())

    first = run(days[1], days[2])
    warm_up = first[f"LogsExampleGen-{days[0]}"]
    assert summary(warm_up).totals["warm_up"] == 150
    assert summary(first["WindowExampleGen"]).lines == 300
    second = run(days[2], days[3])
    states = {node: one.state for node, one in second.items() if node.startswith("Logs")}
    assert states == {
        f"LogsExampleGen-{days[1]}": "cached",
        f"LogsExampleGen-{days[2]}": "cached",
        f"LogsExampleGen-{days[3]}": "done",
    }
    description = json.loads(
        (uri(second["WindowExampleGen"]) / "histories/histories.json").read_text()
    )
    assert description["exposures"] == 600
    assert description["first_day"] == days[0].toordinal()
