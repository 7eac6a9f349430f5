"""The summary of a run, for people and for programs."""

from __future__ import annotations

import dataclasses
import io
import json

from rich.console import Console

from feature_spec.artifacts.push_check_report import PushCheckReport, RankingLatency
from pipeline.evaluate.evaluation_result import Estimate, Measurement, TaskVerdict
from pipeline.ingest.accounting.summary import IngestSummary, StepCounts
from pipeline.run.run_summary import ComponentRun, NodeFailure, RunSummary, print_summary

CLICK = TaskVerdict(
    task="click", example_count=1234, metric="auc", threshold=0.6, tolerance=0.01,
    metrics={"auc": 0.71234, "log_loss": None}, baseline_metrics={"auc": 0.70001},
    change=Estimate(value=0.01233, lower=-0.001, upper=0.02566), slices=[], protected=[], refusals=[],
)  # fmt: skip
PUSHED = RunSummary(
    status="pushed", spec="tiny", fingerprint="0123456789abcdef",
    ingestion=IngestSummary(
        lines=105, rejected={"no JSON": 4, "repeated": 1}, examples={"train": 90, "validation": 4, "evaluation": 6},
        tasks={}, records_of_day={}, evaluation_days=[], tables={}, unreadable_files=[],
    ),
    tasks=[CLICK], ranking=[], baseline_note="", drift=None, tuning=None, mtl_gain=None, push_check=None, version=17, newly_pushed=True,
    components=[ComponentRun(node="Trainer", state="cached", elapsed_s=1.25, peak_memory_bytes=1_500_000_000)],
    elapsed_s=61.0, log="run.log",
)  # fmt: skip


def text(summary: RunSummary) -> str:
    stream = io.StringIO()
    print_summary(summary, Console(file=stream, width=140))
    return stream.getvalue()


def test_the_lines_of_the_log_are_reconciled_by_split_and_reason() -> None:
    expected = "105 lines = 100 examples (train 90, validation 4, evaluation 6) + 5 rejected (no JSON 4, repeated 1)"
    assert expected in text(PUSHED)


def test_exposures_of_the_warm_up_are_part_of_the_sum() -> None:
    write = StepCounts(received=125, passed=100, rejected=5, sampled_out=0, warm_up=20)
    ingestion = PUSHED.ingestion.model_copy(update={"lines": 125, "steps": {"write": write}})
    told = " ".join(text(dataclasses.replace(PUSHED, ingestion=ingestion)).split())
    assert "repeated 1) + 20 of the warm-up of histories" in told


def test_the_last_line_says_where_the_report_is() -> None:
    told = text(dataclasses.replace(PUSHED, report="root/artifacts/RunReport/report/9/report.html"))
    assert told.splitlines()[-1] == "Report: root/artifacts/RunReport/report/9/report.html"
    assert "Report:" not in text(PUSHED)


def test_files_that_broke_off_are_named() -> None:
    broken = dataclasses.replace(
        PUSHED,
        ingestion=PUSHED.ingestion.model_copy(update={"unreadable_files": ["day=1/part.gz"]}),
    )
    assert "could not be read to their end: day=1/part.gz" in text(broken)
    assert "could not be read" not in text(PUSHED)


def test_a_tasks_value_stands_beside_the_blessed_models() -> None:
    [row] = [line for line in text(PUSHED).splitlines() if "click" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "click", "1,234", "auc 0.7123", "0.7000", "+0.0123 (-0.0010 to +0.0257)", "0.6", "0.01", "passed",
    ]  # fmt: skip


def test_a_protected_slice_stands_below_its_task_and_another_does_not() -> None:
    parts = [
        Measurement(
            field="tab",
            value=value,
            example_count=34,
            metrics={"auc": Estimate(value=0.7)},
            baseline={},
            changes={},
        )
        for value in ("1", "2")
    ]
    shown = text(
        dataclasses.replace(
            PUSHED, tasks=[dataclasses.replace(CLICK, slices=parts, protected=["tab=1"])]
        )
    )
    [row] = [line for line in shown.splitlines() if "tab=" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "tab=1",
        "34",
        "0.7000",
        "–",
        "–",
        "",
        "",
        "",
    ]


def test_the_quality_of_the_ranking_is_told() -> None:
    ndcg = Measurement(
        field="", value="", example_count=0, metrics={"ndcg": Estimate(value=0.61)}, baseline={"ndcg": Estimate(value=0.6)},
        changes={"ndcg": Estimate(value=0.01, lower=-0.02, upper=0.04)},
    )  # fmt: skip
    shown = text(dataclasses.replace(PUSHED, ranking=[ndcg]))
    assert (
        "Ranking score: ndcg 0.6100, blessed model 0.6000, change +0.0100 (-0.0200 to +0.0400)"
        in shown
    )


def test_a_component_has_state_time_and_peak_memory() -> None:
    [row] = [line for line in text(PUSHED).splitlines() if "Trainer" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "Trainer",
        "cached",
        "1.2 s",
        "1.50 GB",
    ]


def test_a_new_version_is_told_apart_from_one_that_was_there() -> None:
    assert "Blessed and pushed as version 17" in text(PUSHED)
    assert "already pushed as version 17" in text(dataclasses.replace(PUSHED, newly_pushed=False))


def test_a_refusal_names_the_task_and_the_reason() -> None:
    refusal = dataclasses.replace(CLICK, refusals=["auc 0.5000 is below the threshold 0.6"])
    shown = text(dataclasses.replace(PUSHED, status="refused", version=None, tasks=[refusal]))
    assert "nothing was pushed" in shown
    assert "click: auc 0.5000 is below the threshold 0.6" in shown


CHECK = PushCheckReport(
    refusals=[], warmup_requests=5, compared_requests=16, largest_difference=2.4e-07, latency_budget_ms=250.0,
    latency_ms=[RankingLatency(candidates=1, p50=1.16, p99=1.94), RankingLatency(candidates=1000, p50=6.4, p99=8.97)],
)  # fmt: skip


def test_what_the_check_before_the_push_measured_is_told() -> None:
    shown = " ".join(text(dataclasses.replace(PUSHED, push_check=CHECK)).split())
    assert "scores differ from the trainer's by 2e-07 at most" in shown
    assert "p50 / p99 by candidates: 1: 1.2 / 1.9 ms, 1,000: 6.4 / 9.0 ms (budget 250 ms)" in shown


def test_a_refusal_of_the_check_before_the_push_is_told() -> None:
    check = CHECK.model_copy(update={"refusals": ["rank of 1 candidates: too slow by 3 ms"]})
    shown = text(dataclasses.replace(PUSHED, status="refused", version=None, push_check=check))
    assert "nothing was pushed" in shown
    assert "  rank of 1 candidates: too slow by 3 ms" in shown


def test_a_failure_names_the_node_the_cause_and_the_log() -> None:
    failure = NodeFailure(
        node="AnomalyGate", cause="1 anomaly in the examples, of age", details="age  train  [ERROR]"
    )
    failed = dataclasses.replace(
        PUSHED, status="failed", tasks=[], ingestion=None, version=None, failure=failure
    )
    shown = text(failed)
    assert "Failed: AnomalyGate: 1 anomaly in the examples, of age" in shown
    assert "age  train  [ERROR]" in shown
    assert "Log: run.log" in shown


def test_what_was_not_compared_is_said() -> None:
    assert "does not have share" in text(
        dataclasses.replace(
            PUSHED, baseline_note="not compared: the blessed model does not have share"
        )
    )


def test_json_holds_what_the_tables_show() -> None:
    document = json.loads(json.dumps(PUSHED.as_dict()))
    assert document["status"] == "pushed"
    assert document["version"] == 17
    assert document["tasks"][0]["metrics"] == {"auc": 0.71234, "log_loss": None}
    assert document["components"] == [
        {
            "node": "Trainer",
            "state": "cached",
            "elapsed_s": 1.25,
            "peak_memory_bytes": 1_500_000_000,
        }
    ]
    assert document["failure"] is None


def test_limits_are_proposed_where_the_spec_has_none() -> None:
    whole = Measurement(
        field="", value="", example_count=1234, baseline={}, changes={},
        metrics={"auc": Estimate(value=0.71, lower=0.70001, upper=0.72)},
    )  # fmt: skip
    first = dataclasses.replace(
        CLICK, slices=[whole], default_threshold=True, default_tolerance=True, positive_count=56
    )
    told = text(dataclasses.replace(PUSHED, tasks=[first]))
    assert (
        "write below these tasks in the spec:\n  click: {threshold: 0.7, tolerance: 0.01}" in told
    )
    assert "1,234 (56 positives)" in told
    assert "write below" not in text(PUSHED)


def test_a_task_with_too_few_positives_is_no_passed_one() -> None:
    few = dataclasses.replace(CLICK, positive_count=3, too_few="too few to tell (3 positives)")
    [row] = [
        line
        for line in text(dataclasses.replace(PUSHED, tasks=[few])).splitlines()
        if "1,234" in line
    ]
    assert "too few to" in row
    assert "passed" not in row
