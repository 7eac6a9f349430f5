"""Each step's part of the spec changes when, and only when, something changes that the step reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feature_spec.loading import load_spec, parse_spec, ready_specs
from feature_spec.spec import FeatureSpec
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.step_specs import (
    evaluation_spec,
    gain_spec,
    serving_spec,
    training_spec,
    transform_spec,
)


def changed(*overrides: str) -> FeatureSpec:
    return load_overridden_spec("short_video", overrides)


HISTORIES = """{
    known_after_s: 600,
    warm_up_days: 1,
    counts: {video: {by: [video_id]}, both: {by: [user_id, author_id], windows_s: [3600]}},
    sequences: {played: {by: user_id, where: {event: played}, fields: [video_id]}},
}"""


def with_histories(*overrides: str) -> FeatureSpec:
    return changed(f"histories={HISTORIES}", *overrides)


@pytest.mark.parametrize(
    "override",
    [
        "histories.known_after_s=60",
        "histories.warm_up_days=3",
        "histories.sequences.played.pooling=activation_unit",
        "histories.sequences.played.search_by=video_id",
        "tasks.vtr.threshold=0.9",
    ],
)
def test_transform_does_not_depend_on_these_settings_of_histories(override: str) -> None:
    assert transform_spec(with_histories(override)) == transform_spec(with_histories())


@pytest.mark.parametrize(
    "override",
    [
        "histories.counts.video.smoothing=3.0",
        "histories.counts.both.windows_s=[60]",
        "histories.sequences.played.max_length=3",
        "tasks.vtr.label={rule: event, column: played}",
    ],
)
def test_transform_depends_on_these_settings_of_histories(override: str) -> None:
    assert transform_spec(with_histories(override)) != transform_spec(with_histories())


@pytest.mark.parametrize("name", ready_specs())
@pytest.mark.parametrize(
    "part", [evaluation_spec, gain_spec, serving_spec, training_spec, transform_spec]
)
def test_every_part_of_a_ready_spec_is_a_valid_spec(name: str, part: Any) -> None:
    assert list(parse_spec(part(load_spec(name))).fields) == list(load_spec(name).fields)


@pytest.mark.parametrize("name", ready_specs())
def test_the_trainers_part_has_the_specs_fingerprint(name: str) -> None:
    spec = load_spec(name)
    assert parse_spec(training_spec(spec)).fingerprint == spec.fingerprint


@pytest.mark.parametrize(
    "override",
    [
        "trainer.epochs=1",
        "model.levels=1",
        "tasks.vtr.threshold=0.9",
        "tasks.vtr.tolerance=0.9",
        "tasks.vtr.loss_weight=3.0",
        "ranking_formula.weights.vtr=2.0",
        "logs.max_rejected_share=0.5",
        "split.validation_share=0.2",
        "fields.region.min_presence=0.5",
        "fields.region.column=place",
        "serving.latency_budget_ms=7.0",
        "evaluation={slices: [{field: scenario}]}",
    ],
)
def test_transform_does_not_depend_on(override: str) -> None:
    assert transform_spec(changed(override)) == transform_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    [
        "fields.region.width=8",
        "fields.age_days.buckets=4",
        "fields.user_id.vocabulary.min_count=3",
        "fields.tags.max_length=2",
    ],
)
def test_transform_depends_on(override: str) -> None:
    assert transform_spec(changed(override)) != transform_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    [
        "tasks.vtr.threshold=0.9",
        "tasks.vtr.tolerance=0.9",
        "logs.max_rejected_share=0.5",
        "split.validation_share=0.2",
        "trainer.epochs=1",
        "serving.latency_budget_ms=7.0",
    ],
)
def test_the_trainers_part_does_not_depend_on(override: str) -> None:
    # The settings of model and trainer reach the trainer on their own, checked and complete.
    assert training_spec(changed(override)) == training_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    [
        "tasks.vtr.loss_weight=3.0",
        "tasks.vtr.metric=log_loss",
        "ranking_formula.weights.vtr=2.0",
        "fields.region.width=8",
    ],
)
def test_the_trainers_part_depends_on(override: str) -> None:
    assert training_spec(changed(override)) != training_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    [
        "serving.latency_budget_ms=7.0",
        "serving.candidate_counts=[3]",
        "ranking_formula.weights.vtr=2.0",
    ],
)
def test_the_check_before_a_push_depends_on(override: str) -> None:
    assert serving_spec(changed(override)) != serving_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override", ["tasks.vtr.threshold=0.9", "logs.max_rejected_share=0.5", "trainer.epochs=1"]
)
def test_the_check_before_a_push_does_not_depend_on(override: str) -> None:
    assert serving_spec(changed(override)) == serving_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    [
        "tasks.vtr.threshold=0.9",
        "tasks.vtr.tolerance=0.9",
        "tasks.vtr.metric=log_loss",
        "evaluation={slices: [{field: hour}]}",
    ],
)
def test_the_evaluator_depends_on(override: str) -> None:
    assert evaluation_spec(changed(override)) != evaluation_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override", ["serving.latency_budget_ms=7.0", "trainer.epochs=1", "split.validation_share=0.2"]
)
def test_the_evaluator_does_not_depend_on(override: str) -> None:
    assert evaluation_spec(changed(override)) == evaluation_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "part", [evaluation_spec, gain_spec, serving_spec, training_spec, transform_spec]
)
@pytest.mark.parametrize(
    "override",
    [
        "tuner.search={trainer.epochs: {values: [1, 2]}}",
        "drift.thresholds={region: {l_infinity: 0.1}}",
        "skew.thresholds={region: {l_infinity: 0.1}}",
    ],
)
def test_a_section_that_one_step_alone_reads_changes_no_others_part(
    part: Any, override: str
) -> None:
    assert part(changed(override)) == part(load_spec("short_video"))


@pytest.mark.parametrize(
    "override",
    ["tasks.vtr.threshold=0.9", "tasks.vtr.tolerance=0.9", "serving.latency_budget_ms=7.0"],
)
def test_the_mtl_gain_does_not_depend_on(override: str) -> None:
    assert gain_spec(changed(override)) == gain_spec(load_spec("short_video"))


@pytest.mark.parametrize(
    "override", ["tasks.vtr.metric=log_loss", "evaluation.slices=[{field: hour}]"]
)
def test_the_mtl_gain_depends_on(override: str) -> None:
    assert gain_spec(changed(override)) != gain_spec(load_spec("short_video"))


def test_the_mtl_gain_does_without_ndcg() -> None:
    ndcg = "evaluation.ndcg={by: user, relevance: {vtr: 1.0}}"
    assert parse_spec(gain_spec(changed(ndcg))).evaluation.ndcg is None


def test_the_trainer_knows_the_numbers_of_candidates_that_it_exports_programs_for() -> None:
    spec = changed("trainer.export_xla=true", "serving.candidate_counts=[7, 70]")
    assert parse_spec(training_spec(spec)).serving.candidate_counts == [7, 70]
    slower = changed(
        "trainer.export_xla=true",
        "serving.candidate_counts=[7, 70]",
        "serving.latency_budget_ms=9.0",
    )
    assert training_spec(slower) == training_spec(spec)


def test_training_without_xla_does_not_depend_on_the_numbers_of_candidates() -> None:
    assert training_spec(changed("serving.candidate_counts=[7, 70]")) == training_spec(
        load_spec("short_video")
    )


_HISTORIES = {
    "known_after_s": 600,
    "counts": {"user": {"by": ["user_id"]}},
    "sequences": {"clicked": {"by": "user_id", "fields": ["video_id"]}},
}


def _with_histories(**changes: Any) -> FeatureSpec:
    content = load_spec("short_video").model_dump(mode="json", exclude_unset=True)
    content["histories"] = _HISTORIES | changes
    return parse_spec(json.dumps(content))


def test_steps_get_the_fields_of_histories() -> None:
    spec = _with_histories()
    for part in (transform_spec, training_spec, evaluation_spec, gain_spec, serving_spec):
        read = parse_spec(part(spec))
        assert list(read.fields) == list(spec.fields)
        for name in ("user_vcr", "user_ctr_seen", "clicked_video_id"):
            assert read.fields[name].model_dump(exclude={"min_presence"}) == spec.fields[
                name
            ].model_dump(exclude={"min_presence"})


def test_an_exported_model_knows_the_state_of_histories_that_fits_it() -> None:
    spec = _with_histories()
    assert parse_spec(training_spec(spec)).history_digest == spec.history_digest


@pytest.mark.parametrize(("task", "metric"), [("vtr", "gauc"), ("vcr", "xauc")])
def test_judging_by_an_order_trains_nothing_anew(task: str, metric: str) -> None:
    # The protected slices of the context divide the examples of a user, but not of a request.
    judged = (f"tasks.{task}.metric={metric}", f"tasks.{task}.threshold=0.5")
    spec = changed(*judged, "evaluation.gauc_by=request")
    assert training_spec(spec) == training_spec(load_spec("short_video"))
    assert parse_spec(evaluation_spec(spec)).tasks[task].metric == metric
    assert parse_spec(gain_spec(spec)).tasks[task].metric == metric
