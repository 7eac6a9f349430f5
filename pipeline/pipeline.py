"""The pipeline: which component reads what, and which part of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tfx.components import ExampleValidator, Pusher, StatisticsGen, Trainer, Transform, Tuner
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import BaseChannel

from feature_spec import names
from feature_spec.sections.tuner import Tuner as TunerSection
from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluator import Evaluator
from pipeline.evaluate.mtl_gain import MtlGain
from pipeline.push.push_check import PushCheck
from pipeline.push.pusher import RenamingPusher
from pipeline.report.component import RunReport
from pipeline.report.model_insight import ModelInsight
from pipeline.resolvers.baseline import baseline_resolver
from pipeline.resolvers.earlier_spans import span_baseline_resolver, span_statistics_resolver
from pipeline.resolvers.last_pushed_model import LastPushedModel
from pipeline.resolvers.previous_statistics import previous_statistics_resolver
from pipeline.spans.span_nodes import SpanNodes
from pipeline.step_specs import (
    evaluation_part,
    gain_part,
    serving_part,
    training_part,
    transform_part,
)
from pipeline.validate.anomaly_gate import AnomalyGate
from pipeline.validate.drift_check import DriftCheck, DriftGate
from pipeline.validate.schema import schema_from_spec
from pipeline.validate.spec_schema import SpecSchema
from pipeline.workspace.cluster_root import ClusterRoot
from pipeline.workspace.root import Root


def ranking_pipeline(
    spec: FeatureSpec,
    *,
    example_gen: BaseComponent,
    trainer_settings: str,
    root: Root | ClusterRoot,
    beam_arguments: Sequence[str],
    with_single_task: bool = False,
    tuner: TunerSection | None = None,
    span: SpanNodes | None = None,
    run_fn: str = "trainer.run.run_fn",
    single_tasks_run_fn: str = "trainer.run.single_tasks_run_fn",
    tuner_fn: str = "trainer.tune.tuner.tuner_fn",
    push_check: str = "serving.push_check.check.check_before_push",
    model_insight: str = "trainer.model_insight.model_insight",
) -> Pipeline:
    """From ingested examples to a pushed model.

    Args:
        spec: what to learn.
        example_gen: gives `examples` with the three splits of `feature_spec.names`.
        trainer_settings: JSON of the trainer's settings.
        root: where everything is kept. The metadata of a `Root` tells what earlier runs did; a
            `ClusterRoot` has none.
        beam_arguments: Beam pipeline options, such as ``--runner=DirectRunner``.
        with_single_task: whether each task is also trained alone, and the MTL gain measured.
        tuner: the search for settings that the Trainer is to begin with; None to train with
            `trainer_settings` as they are.
        span: the nodes of a run by span, whose `example_gen` is to be given; None in other runs.
        run_fn: import path of what the Trainer calls.
        single_tasks_run_fn: import path of what trains each task alone.
        tuner_fn: import path of what makes the search.
        push_check: import path of what makes and checks the version to push.
        model_insight: import path of what looks into the model for the report.
    """
    on_cluster = isinstance(root, ClusterRoot)
    examples = example_gen.outputs["examples"]
    statistics = StatisticsGen(examples=examples)
    schema = SpecSchema(schema_from_spec(spec))
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    gate = AnomalyGate(anomalies=validator.outputs["anomalies"])
    transform = Transform(
        examples=span.training_examples if span else examples,
        schema=schema.outputs["schema"],
        preprocessing_fn="pipeline.transform.preprocessing.preprocessing_fn",
        custom_config={"spec": transform_part(spec)},
        splits_config=transform_pb2.SplitsConfig(
            analyze=[names.TRAIN], transform=[names.TRAIN, names.VALIDATION]
        ),
        disable_statistics=True,
        disable_analyzer_cache=span is None,
        analyzer_cache=span.analyzer_cache.outputs["analyzer_cache"] if span else None,
    )
    transform.add_upstream_node(gate)
    training: dict[str, Any] = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": trainer_pb2.TrainArgs(splits=[names.TRAIN]),
        "eval_args": trainer_pb2.EvalArgs(splits=[names.VALIDATION]),
    }
    config = {"spec": training_part(spec), "settings": trainer_settings}
    search = tuner and Tuner(
        tuner_fn=tuner_fn,
        **training,
        custom_config=config
        | {"tuner": tuner.model_dump_json(exclude_unset=True), "tuning_folder": str(root.tuning)},
    )

    def trained_by(function: str, base_model: BaseChannel | None = None, **further: str) -> Trainer:
        return Trainer(
            run_fn=function,
            **training,
            base_model=base_model,
            hyperparameters=search.outputs["best_hyperparameters"] if search else None,
            custom_config=config | {"checkpoint_folder": str(root.checkpoints)} | further,
        )

    if span:
        trainer = trained_by(
            run_fn, span.base_model.outputs["model"], span=span.window.model_dump_json()
        )
        baseline = span_baseline_resolver(trainer.outputs["model"], span.number)
        span.mark(trainer.outputs["model"])
        span.mark(transform.outputs["updated_analyzer_cache"])
        span.mark(statistics.outputs["statistics"])
    else:
        trainer = trained_by(run_fn)
        baseline = (
            LastPushedModel(str(root.serving_model)).with_id("Baseline")
            if on_cluster
            else baseline_resolver(trainer.outputs["model"])
        )
    evaluator = Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        spec=evaluation_part(spec),
    )
    check = PushCheck(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        examples=examples,
        spec=serving_part(spec),
        check=push_check,
    )
    # Stores of objects cannot rename a folder.
    pusher = (Pusher if on_cluster else RenamingPusher)(
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=check.outputs["infra_blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(root.serving_model))
        ),
    ).with_id("Pusher")
    insight = ModelInsight(model=trainer.outputs["model"], examples=examples, look=model_insight)
    # A model does not wait for its report to be pushed.
    insight.add_upstream_node(pusher)
    components: list[Any] = [
        example_gen, statistics, schema, validator, gate, transform, trainer, baseline, evaluator, check, pusher, insight,
    ]  # fmt: skip
    if span:
        components += span.components
    if search:
        components.append(search)
    reported = {
        "examples": examples,
        "anomalies": validator.outputs["anomalies"],
        "model": trainer.outputs["model"],
        "model_run": trainer.outputs["model_run"],
        "insight": insight.outputs["insight"],
        "evaluation": evaluator.outputs["evaluation"],
        "infra_blessing": check.outputs["infra_blessing"],
        "pushed_model": pusher.outputs["pushed_model"],
    }
    if spec.drift.thresholds and not on_cluster:
        current = statistics.outputs["statistics"]
        previous = (
            span_statistics_resolver(span.number) if span else previous_statistics_resolver(current)
        )
        drift = DriftCheck(
            statistics=statistics.outputs["statistics"],
            previous=previous.outputs["statistics"],
            thresholds=spec.drift.thresholds,
        )
        components += [previous, drift]
        reported["drift"] = drift.outputs["drift"]
        if spec.drift.stops_run:
            drift_gate = DriftGate(drift.outputs["drift"])
            transform.add_upstream_node(drift_gate)
            components.append(drift_gate)
    if with_single_task:
        single_tasks = trained_by(single_tasks_run_fn).with_id("SingleTaskTrainer")
        # A model does not wait for its comparison to be pushed.
        single_tasks.add_upstream_node(pusher)
        gain = MtlGain(
            examples=examples,
            model=trainer.outputs["model"],
            single_tasks=single_tasks.outputs["model"],
            spec=gain_part(spec),
        )
        components += [single_tasks, gain]
        reported["gain"] = gain.outputs["gain"]
    components.append(RunReport(spec_name=spec.name, **reported))
    return Pipeline(
        # Kubeflow takes no underscores.
        pipeline_name=spec.name.replace("_", "-") if on_cluster else spec.name,
        pipeline_root=root.artifacts,
        components=components,
        enable_cache=True,
        metadata_connection_config=(
            metadata.sqlite_metadata_connection_config(str(root.metadata))
            if isinstance(root, Root)
            else None
        ),
        beam_pipeline_args=list(beam_arguments),
    )
