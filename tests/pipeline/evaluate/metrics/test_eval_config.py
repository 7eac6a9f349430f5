"""What TFMA is asked to measure follows from the spec."""

from __future__ import annotations

import json
from typing import Any

from feature_spec.loading import load_spec
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.evaluate.metrics.eval_config import eval_config


def metrics_of(
    output: str, *overrides: str, **settings: Any
) -> list[tuple[str, dict[str, Any], str]]:
    """Class and settings of each metric of an output, and the feature by which its examples are grouped."""
    config = eval_config(load_overridden_spec("short_video", overrides), **settings)
    return [
        (metric["class_name"], json.loads(metric["config"]), specs.get("query_key", ""))
        for specs in config["metrics_specs"]
        for metric in specs["metrics"]
        if specs["output_names"] == [output]
    ]


def test_the_blessed_model_is_the_baseline_of_the_outputs_that_it_has() -> None:
    [candidate, baseline] = eval_config(
        load_spec("short_video"), {"vtr", "vcr", "shr", "cmr", "ctr"}
    )["model_specs"]
    assert candidate["prediction_keys"]["shr"] == "shr"
    assert baseline["is_baseline"]
    assert list(baseline["prediction_keys"]) == ["vtr", "vcr", "shr", "cmr", "ctr"]


def test_a_binary_task_is_also_measured_within_each_user() -> None:
    assert metrics_of("vtr") == [
        ("TaskMetrics", {"kind": "binary"}, ""),
        ("GroupedAUC", {}, "user_key"),
    ]


def test_a_regression_task_is_not() -> None:
    assert metrics_of("vcr") == [("TaskMetrics", {"kind": "regression"}, "")]


def test_lists_of_gauc_may_be_those_of_requests() -> None:
    assert metrics_of("vtr", "evaluation={gauc_by: request}")[1] == (
        "GroupedAUC",
        {},
        "request_key",
    )


def test_without_users_there_is_no_gauc() -> None:
    assert "query_key" not in str(eval_config(load_spec("census_income")))


def test_the_ranking_score_is_measured_where_the_spec_says_what_is_relevant() -> None:
    assert metrics_of("ranking_score", "evaluation={}") == []
    ndcg = "evaluation={ndcg: {k: 3, by: request, relevance: {shr: 2.0}}}"
    assert metrics_of("ranking_score", ndcg) == [("GroupedNDCG", {"k": 3}, "request_key")]


def test_without_a_blessed_model_there_is_only_the_candidate() -> None:
    [model] = eval_config(load_spec("short_video"))["model_specs"]
    assert model["name"] == "candidate"


def test_an_output_that_the_blessed_model_lacks_is_measured_for_the_candidate_alone() -> None:
    config = eval_config(load_spec("short_video"), {"vtr", "vcr", "shr", "cmr", "ranking_score"})
    alone = {
        specs["output_names"][0]
        for specs in config["metrics_specs"]
        if specs.get("model_names") == ["candidate"]
    }
    assert alone == {"ctr"}
    assert "ctr" not in config["model_specs"][1]["prediction_keys"]


def test_slices_are_those_of_the_spec_beside_the_whole_split() -> None:
    spec = load_overridden_spec(
        "short_video",
        ["evaluation={slices: [{field: scenario}, {field: age_days, boundaries: [7]}]}"],
    )
    assert eval_config(spec)["slicing_specs"] == [
        {},
        {"feature_keys": ["scenario"]},
        {"feature_keys": ["age_days"]},
    ]
