"""A made-up run of two tasks, click (AUC) and watch (MSE), with everything that a report can show."""

from __future__ import annotations

import pytest

from feature_spec.artifacts.inspection import ModelInsight
from feature_spec.artifacts.push_check_report import PushCheckReport, RankingLatency
from feature_spec.formula import RankingFormula
from pipeline.evaluate.evaluation_result import (
    CalibrationBucket,
    Estimate,
    EvaluationResult,
    Measurement,
    TaskVerdict,
)
from pipeline.evaluate.task_gains import MtlGains, TaskGain
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.report.data.run_data import RunData
from pipeline.validate.anomalies import Anomaly
from pipeline.validate.distribution_shift import DriftResult, FieldShift

INGESTION = IngestSummary.model_validate({
    "lines": 1000,
    "rejected": {"malformed": 15, "duplicate": 5},
    "examples": {"train": 800, "validation": 80, "evaluation": 100},
    "tasks": {
        task: {split: {"examples": count, "label_mean": 0.25} for split, count in (("train", 800), ("validation", 80), ("evaluation", 100))}
        for task in ("click", "watch")
    },
    "records_of_day": {"2026-01-05": 600, "2026-01-06": 385},
    "evaluation_days": ["2026-01-06"],
    "tables": {"users": {"lines": 50, "rows": 49, "repeated_keys": 0, "rejected": {"malformed": 1}, "examples_without_row": 3}},
    "unreadable_files": [],
})  # fmt: skip

INSIGHT = ModelInsight.model_validate({
    "inspection": {
        "model": "ple",
        "folder": "model",
        "examples": 100,
        "gates": [
            {
                "gate": "level_1/task_click",
                "experts": [
                    {"expert": "own 1 of click", "mean": 0.95, "standard_deviation": 0.02},
                    {"expert": "shared 1", "mean": 0.05, "standard_deviation": 0.02},
                ],
            },
            {
                "gate": "level_1/shared",
                "experts": [
                    {"expert": "own 1 of click", "mean": 0.4, "standard_deviation": 0.1},
                    {"expert": "shared 1", "mean": 0.6, "standard_deviation": 0.1},
                ],
            },
        ],
        "field_masks": [{"subnetwork": "own of click", "fields": [{"field": "user_id", "mean": 0.75, "zero_share": 0.1}]}],
        "blocks": [
            {"connection": "level_1", "source": "shared", "target": "click", "gates": 8, "closed_share": 0.25, "mean": 0.5}
        ],
        "mixtures": [],
        "multiplications": {"all_open": {"request": 10, "candidate": 200}, "remaining": {"request": 10, "candidate": 50}},
        "histories": [
            {
                "history": "recent",
                "pooling": "dot_product",
                "empty_share": 0.25,
                "places": [
                    {"first": 1, "last": 1, "entries": 75, "mean": 0.5},
                    {"first": 2, "last": 5, "entries": 200, "mean": 0.125},
                ],
                "alike": [{"field": "video_id", "entries": 3, "mean": 0.5, "mean_of_others": 0.25}],
                "examples": [
                    {
                        "candidate": {"video_id": "v1"},
                        "length": 9,
                        "entries": [
                            {"weight": 0.75, "values": {"recent_video_id": "v2", "recent_age": "11"}},
                            {"weight": 0.25, "values": {"recent_video_id": "v3", "recent_age": ""}},
                        ],
                    }
                ],
            }
        ],
    },
    "weight_effects": {
        "top_k": 10,
        "by": "user",
        "lists": 40,
        "exposures": 800,
        "not_measured": "",
        "effects": [
            {"name": name, "weight": weight, "factor": factor, "changed_share": share, "replaced_share": share / 4, "changed_first_share": share / 2}
            for name, weight, shares in (("click", 1.0, (0.8, 0.4, 0.2)), ("watch", 0.1, (0.0, 0.0, 0.0)))
            for factor, share in zip((0.0, 0.5, 1.5), shares, strict=True)
        ],
    },
})  # fmt: skip


def estimates(**values: float) -> dict[str, Estimate]:
    return {name: Estimate(value=value) for name, value in values.items()}


def click() -> TaskVerdict:
    """It gains 0.02 (0.01 to 0.03) on the whole split, and loses 0.05 (0.02 to 0.08) on the slice tab=2."""
    whole = Measurement(
        field="", value="", example_count=100,
        metrics=estimates(auc=0.72, calibration=1.25), baseline=estimates(auc=0.7, calibration=1.0),
        changes={"auc": Estimate(value=0.02, lower=0.01, upper=0.03)},
        calibration=[
            CalibrationBucket(example_count=50, mean_score=0.1, mean_label=0.05),
            CalibrationBucket(example_count=50, mean_score=0.4, mean_label=0.35),
        ],
    )  # fmt: skip
    slices = [
        Measurement(
            field="tab", value=value, example_count=count, metrics=estimates(auc=auc), baseline=estimates(auc=auc - change),
            changes={"auc": Estimate(value=change, lower=change - 0.03, upper=change + 0.03)},
        )
        for value, count, auc, change in (("1", 75, 0.73, 0.04), ("2", 25, 0.6, -0.05))
    ]  # fmt: skip
    return TaskVerdict(
        task="click", example_count=100, metric="auc", threshold=0.6, tolerance=0.01,
        metrics={"auc": 0.72, "calibration": 1.25}, baseline_metrics={"auc": 0.7, "calibration": 1.0},
        change=whole.changes["auc"], slices=[whole, *slices], protected=["tab=1"], refusals=[],
    )  # fmt: skip


def watch(refusals: list[str]) -> TaskVerdict:
    """Its error grows by 0.003 (0.001 to 0.005), within the tolerance."""
    change = Estimate(value=0.003, lower=0.001, upper=0.005)
    whole = Measurement(
        field="",
        value="",
        example_count=90,
        metrics=estimates(mse=0.103),
        baseline=estimates(mse=0.1),
        changes={"mse": change},
    )
    return TaskVerdict(
        task="watch", example_count=90, metric="mse", threshold=0.2, tolerance=0.01,
        metrics={"mse": 0.103}, baseline_metrics={"mse": 0.1}, change=change, slices=[whole], protected=[], refusals=refusals,
    )  # fmt: skip


def gains() -> MtlGains:
    """Click gains 0.03 beyond noise, watch loses 0.004 beyond noise."""
    values = {"click": ("auc", 0.72, 0.69, 0.03), "watch": ("mse", 0.103, 0.099, -0.004)}
    tasks = [
        TaskGain(
            task=task, metric=metric, field="", value="", example_count=100, together=together, alone=alone,
            gain=Estimate(value=gain, lower=gain - 0.002, upper=gain + 0.002),
        )
        for task, (metric, together, alone, gain) in values.items()
    ]  # fmt: skip
    return MtlGains(
        tasks=tasks,
        slices=[],
        gaining=["click"],
        negative_transfer=["watch"],
        seesaw=True,
        seesaw_beyond_noise=True,
    )


@pytest.fixture
def run() -> RunData:
    """Pushed, with everything."""
    return RunData(
        name="runs/first",
        spec="toy",
        fingerprint="0123456789abcdef",
        began="2026-01-07T08:30:15.123456",
        version=1767775000,
        model="ple",
        task_meanings={"click": "binary: clicked, of all exposures", "watch": "regression: play_s / duration_s, of played"},
        formula=RankingFormula(weights={"click": 1.0, "watch": 0.1}),
        ingestion=INGESTION,
        anomalies=[Anomaly(feature="age", split="train", severity="ERROR", what="Unexpectedly low values: -1 < 0")],
        drift=DriftResult(
            is_compared=True,
            fields=[
                FieldShift(field="region", measure="l_infinity", distance=0.05, threshold=0.1, is_beyond=False),
                FieldShift(field="hour", measure="jensen_shannon", distance=0.03, threshold=0.02, is_beyond=True),
            ],
        ),
        curves={
            "loss": [(1, 0.9), (2, 0.8)],
            "validation_loss": [(1, 0.95), (2, 0.85)],
            "validation_click": [(1, 0.65), (2, 0.7)],
            "validation_watch": [(1, 0.12), (2, 0.11)],
        },
        evaluation=EvaluationResult(
            tasks=[click(), watch([])],
            ranking=[
                Measurement(
                    field="", value="", example_count=0, metrics=estimates(**{"ndcg@10": 0.61}), baseline=estimates(**{"ndcg@10": 0.6}),
                    changes=estimates(**{"ndcg@10": 0.01}),
                )
            ],
            baseline_note="",
        ),
        gains=gains(),
        push_check=PushCheckReport(
            refusals=[], warmup_requests=8, compared_requests=16, largest_difference=2e-7,
            latency_ms=[RankingLatency(candidates=100, p50=3.0, p99=9.0)], latency_budget_ms=10.0,
        ),
        insight=INSIGHT,
        titles={"video_id": {"v1": "Alphaville", "v2": "Stalker"}},
    )  # fmt: skip


@pytest.fixture
def bare_run() -> RunData:
    """What there is of a run that failed at once."""
    from pipeline.report.data.run_data import Failure

    failure = Failure(
        component="LogsExampleGen", cause="ValueError: the files of the log have no lines"
    )
    return RunData(name="runs/second", spec="toy", began="2026-01-08T08:30:15", failure=failure)
