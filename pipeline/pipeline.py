"""The pipeline: which component reads what, from ingested examples to a pushed model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tfx.components import ExampleValidator, Trainer
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types import BaseChannel

from feature_spec import names
from feature_spec.sections import Tuner as TunerSection
from feature_spec.spec import FeatureSpec
from pipeline.deployment import Deployment
from pipeline.evaluate.evaluator import Evaluator
from pipeline.evaluate.mtl_gain import MtlGain
from pipeline.push.push_check import PushCheck
from pipeline.report.component import ModelInsight, RunReport
from pipeline.spans.span_nodes import SpanNodes
from pipeline.step_specs import training_spec, transform_spec
from pipeline.transform.component import Transform
from pipeline.validate.checks import AnomalyGate, DriftCheck, DriftGate
from pipeline.validate.schema import SpecSchema, optional_fields
from pipeline.validate.statistics_gen import StatisticsGen

# Named by string: the pipeline does not import the trainer.
_PREPROCESSING_FN = "pipeline.transform.preprocessing.preprocessing_fn"
_RUN_FN = "trainer.run.run_fn"
_SINGLE_TASKS_RUN_FN = "trainer.run.single_tasks_run_fn"
_TUNER_FN = "trainer.tune.tuner.tuner_fn"


class DataNodes(NamedTuple):
    """Validated examples, and the graph that transforms them.

    Attributes:
        examples: raw examples of all splits.
        anomalies: differences between the examples and the schema.
        to_train_on: the examples to train on: raw, or transformed where Transform writes such.
        transform_graph: the transform graph.
        analyzer_cache: Transform's statistics of each day; None in runs without spans.
        statistics: statistics of the raw examples.
        drift: the comparison with an earlier run's statistics; None where there is none.
        nodes: the nodes that make these outputs.
    """

    examples: BaseChannel
    anomalies: BaseChannel
    to_train_on: BaseChannel
    transform_graph: BaseChannel
    analyzer_cache: BaseChannel | None
    statistics: BaseChannel
    drift: BaseChannel | None
    nodes: list[Any]


class TrainingNodes(NamedTuple):
    """A trained model.

    Attributes:
        model: the exported model.
        model_run: training curves.
        single_task_trainer: the node that trains networks of one task each, and exports them as
            one model; None where nobody asked for them.
        nodes: the nodes that make these outputs.
    """

    model: BaseChannel
    model_run: BaseChannel
    single_task_trainer: BaseComponent | None
    nodes: list[Any]


class ReleaseNodes(NamedTuple):
    """A model that was evaluated, checked in service, and pushed or refused.

    Attributes:
        evaluation: metrics and verdicts.
        infra_blessing: the version to push, and the report of its check.
        pusher: the node that pushes; its output `pushed_model` is the pushed version, if any.
        nodes: the nodes that make these outputs.
    """

    evaluation: BaseChannel
    infra_blessing: BaseChannel
    pusher: BaseComponent
    nodes: list[Any]


def ranking_pipeline(
    spec: FeatureSpec,
    *,
    example_gen: BaseComponent,
    trainer_settings: str,
    deployment: Deployment,
    beam_arguments: Sequence[str],
    with_single_task: bool = False,
    tuner: TunerSection | None = None,
    span: SpanNodes | None = None,
) -> Pipeline:
    """Return the pipeline from ingested examples to a pushed model.

    Args:
        spec: the feature spec, valid as a whole.
        example_gen: a component whose output `examples` has the splits of `feature_spec.names`.
        trainer_settings: JSON of the trainer's settings.
        deployment: the place where the pipeline runs.
        beam_arguments: Beam pipeline options, such as ``--runner=DirectRunner``.
        with_single_task: whether to train each task alone, too, and to measure the MTL gain.
        tuner: the search for settings that the Trainer begins with; None to train with
            `trainer_settings` as they are.
        span: the nodes of a run by span, which include `example_gen`; None in other runs.
    """
    trainer = json.loads(trainer_settings).get("trainer", {})
    data = data_nodes(
        spec,
        example_gen,
        deployment,
        span,
        materialize=trainer.get("materialize_transform", False),
    )
    training = training_nodes(
        spec,
        data,
        deployment,
        span,
        settings=trainer_settings,
        tuner=tuner,
        with_single_task=with_single_task,
    )
    release = release_nodes(spec, data, training, deployment, span)
    if span is not None:
        span.mark(training.model, data.analyzer_cache, data.statistics)
    return Pipeline(
        pipeline_name=deployment.pipeline_name(spec.name),
        pipeline_root=deployment.root.artifacts,
        components=[
            *data.nodes,
            *training.nodes,
            *release.nodes,
            *report_nodes(spec, data, training, release),
        ],
        enable_cache=True,
        metadata_connection_config=deployment.metadata_connection(),
        beam_pipeline_args=list(beam_arguments),
    )


def data_nodes(
    spec: FeatureSpec,
    example_gen: BaseComponent,
    deployment: Deployment,
    span: SpanNodes | None,
    *,
    materialize: bool,
) -> DataNodes:
    """Return the nodes that validate examples and analyse them; an anomaly stops Transform.

    Args:
        spec: the feature spec.
        example_gen: the component whose examples they read.
        deployment: the place where the pipeline runs.
        span: the nodes of a run by span; None in other runs.
        materialize: whether Transform writes transformed examples. Otherwise it only reads those to
            train on, and the trainer applies the graph.
    """
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema = SpecSchema(spec=spec)
    validator = ExampleValidator(statistics=statistics, schema=schema.outputs["schema"])
    gate = AnomalyGate(
        anomalies=validator.outputs["anomalies"], optional_fields=optional_fields(spec)
    )
    transform = Transform(
        examples=span.training_examples if span else examples,
        schema=schema.outputs["schema"],
        preprocessing_fn=_PREPROCESSING_FN,
        custom_config={"spec": transform_spec(spec)},
        splits_config=transform_pb2.SplitsConfig(
            analyze=[names.TRAIN],
            transform=[names.TRAIN, names.VALIDATION] if materialize else [],
        ),
        materialize=materialize,
        disable_statistics=True,
        disable_analyzer_cache=span is None,
        analyzer_cache=span.analyzer_cache.outputs["analyzer_cache"] if span else None,
    )
    transform.add_upstream_node(gate)
    nodes = [example_gen, statistics_gen, schema, validator, gate, transform]
    if span:
        nodes += [*span.ingestion, span.analyzer_cache]
    previous = deployment.previous_statistics(statistics, span.number if span else None)
    drift = None
    if spec.drift.thresholds and previous is not None:
        check = DriftCheck(
            spec=spec, statistics=statistics, previous=previous.outputs["statistics"]
        )
        nodes += [previous, check]
        drift = check.outputs["drift"]
        if spec.drift.stops_run:
            drift_gate = DriftGate(drift)
            transform.add_upstream_node(drift_gate)
            nodes.append(drift_gate)
    return DataNodes(
        examples=examples,
        anomalies=validator.outputs["anomalies"],
        to_train_on=transform.outputs["transformed_examples"] if materialize else examples,
        transform_graph=transform.outputs["transform_graph"],
        analyzer_cache=transform.outputs.get("updated_analyzer_cache"),
        statistics=statistics,
        drift=drift,
        nodes=nodes,
    )


def training_nodes(
    spec: FeatureSpec,
    data: DataNodes,
    deployment: Deployment,
    span: SpanNodes | None,
    *,
    settings: str,
    tuner: TunerSection | None,
    with_single_task: bool,
) -> TrainingNodes:
    """Return the nodes that search for settings, train the model, and train each task alone."""
    inputs: dict[str, Any] = {
        "examples": data.to_train_on,
        "transform_graph": data.transform_graph,
        "train_args": trainer_pb2.TrainArgs(splits=[names.TRAIN]),
        "eval_args": trainer_pb2.EvalArgs(splits=[names.VALIDATION]),
    }
    config = {
        "spec": training_spec(spec),
        "settings": settings,
        "checkpoint_folder": str(deployment.root.checkpoints),
    }
    nodes: list[Any] = []
    if tuner is not None:
        from tfx.components import Tuner  # not sooner: KerasTuner brings Keras 3 and scikit-learn

        section = tuner.model_dump_json(exclude_unset=True)
        search = Tuner(
            tuner_fn=_TUNER_FN,
            custom_config=config | {"tuner": section, "tuning_folder": str(deployment.root.tuning)},
            **inputs,
        )
        inputs["hyperparameters"] = search.outputs["best_hyperparameters"]
        nodes.append(search)
    trainer = Trainer(
        run_fn=_RUN_FN,
        base_model=span.base_model.outputs["model"] if span else None,
        custom_config=config | ({"span": span.window.model_dump_json()} if span else {}),
        **inputs,
    )
    nodes += [span.base_model, trainer] if span else [trainer]
    alone = None
    if with_single_task:
        alone = Trainer(run_fn=_SINGLE_TASKS_RUN_FN, custom_config=config, **inputs).with_id(
            "SingleTaskTrainer"
        )
        nodes.append(alone)
    return TrainingNodes(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        single_task_trainer=alone,
        nodes=nodes,
    )


def release_nodes(
    spec: FeatureSpec,
    data: DataNodes,
    training: TrainingNodes,
    deployment: Deployment,
    span: SpanNodes | None,
) -> ReleaseNodes:
    """Return the nodes that evaluate a model, check it in service, and push it."""
    baseline = deployment.baseline(training.model, span.number if span else None)
    evaluator = Evaluator(
        spec=spec,
        examples=data.examples,
        model=training.model,
        baseline_model=baseline.outputs["model"],
    )
    check = PushCheck(
        spec=spec,
        model=training.model,
        model_blessing=evaluator.outputs["blessing"],
        examples=data.examples,
    )
    pusher = deployment.pusher(
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=check.outputs["infra_blessing"],
        examples=data.examples if spec.histories is not None else None,
    )
    return ReleaseNodes(
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=check.outputs["infra_blessing"],
        pusher=pusher,
        nodes=[baseline, evaluator, check, pusher],
    )


def report_nodes(
    spec: FeatureSpec, data: DataNodes, training: TrainingNodes, release: ReleaseNodes
) -> list[BaseComponent]:
    """Return the nodes that inspect and compare a model for the report, after the push."""
    insight = ModelInsight(model=training.model, examples=data.examples)
    insight.add_upstream_node(release.pusher)
    nodes: list[BaseComponent] = [insight]
    optional = {}
    if spec.histories is not None:
        optional["statistics"] = data.statistics
    if data.drift is not None:
        optional["drift"] = data.drift
    if training.single_task_trainer is not None:
        training.single_task_trainer.add_upstream_node(release.pusher)
        gain = MtlGain(
            spec=spec,
            examples=data.examples,
            model=training.model,
            single_tasks=training.single_task_trainer.outputs["model"],
        )
        nodes.append(gain)
        optional["gain"] = gain.outputs["gain"]
    report = RunReport(
        spec=spec,
        examples=data.examples,
        anomalies=data.anomalies,
        model=training.model,
        model_run=training.model_run,
        insight=insight.outputs["insight"],
        evaluation=release.evaluation,
        infra_blessing=release.infra_blessing,
        pushed_model=release.pusher.outputs["pushed_model"],
        **optional,
    )
    return [*nodes, report]
