"""The components that stop a run: anomalies, and drift with distances worked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from feature_spec.loading import load_spec
from feature_spec.sections import DistributionThreshold, Drift
from pipeline.validate.anomalies import AnomaliesFoundError
from pipeline.validate.distribution_shift import DriftFoundError, DriftResult, read_drift

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def pass_anomaly_gate(
    folder: Path, values: dict[str, list[float]], optional_fields: str = "[]"
) -> None:
    """Validates examples with the numbers `age` of each split, which the schema wants between 0 and 100, and passes the gate."""
    import pandas as pd
    import tfx  # noqa: F401
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx.components.example_validator.executor import Executor
    from tfx.types import standard_artifacts

    from pipeline.validate.checks import AnomalyGate

    import tensorflow_data_validation as tfdv  # isort: skip

    schema = schema_pb2.Schema()
    age = schema.feature.add(name="age", type=schema_pb2.FLOAT)
    age.presence.min_count = 1
    age.float_domain.min, age.float_domain.max = 0.0, 100.0
    schema_artifact = standard_artifacts.Schema()
    schema_artifact.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    tfdv.write_schema_text(schema, str(folder / "schema" / "schema.pbtxt"))

    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri, statistics.split_names = (
        str(folder / "statistics"),
        str(list(values)).replace("'", '"'),
    )
    for split, numbers in values.items():
        found = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"age": numbers}))
        (folder / "statistics" / f"Split-{split}").mkdir(parents=True)
        (folder / "statistics" / f"Split-{split}" / "FeatureStats.pb").write_bytes(
            found.SerializeToString()
        )

    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(folder / "anomalies")
    inputs: dict[str, Any] = {"statistics": [statistics], "schema": [schema_artifact]}
    Executor().Do(inputs, {"anomalies": [anomalies]}, {"exclude_splits": "null"})
    AnomalyGate.EXECUTOR_SPEC.executor_class().Do(
        {"anomalies": [anomalies]}, {}, {"optional_fields": optional_fields}
    )


def test_examples_without_anomalies_pass(tmp_path: Path) -> None:
    pass_anomaly_gate(tmp_path, {"train": [1.0, 50.0], "evaluation": [100.0]})


def test_an_anomaly_in_any_split_stops_the_pipeline_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnomaliesFoundError, match="1 anomaly in the examples, of age") as stopped:
        pass_anomaly_gate(tmp_path, {"train": [1.0, 50.0], "evaluation": [-3.0, 7.0]})
    [table] = stopped.value.__notes__
    [row] = table.splitlines()[1:]
    assert row.split()[:3] == ["age", "evaluation", "ERROR"]
    assert "-3" in row


def test_a_field_that_an_untrained_split_lacks_stops_nothing_unless_it_has_to_be_there(
    tmp_path: Path,
) -> None:
    nowhere = [float("nan")] * 2
    (tmp_path / "optional").mkdir()
    (tmp_path / "needed").mkdir()
    values = {"train": [1.0, 50.0], "validation": nowhere, "evaluation": nowhere}
    pass_anomaly_gate(tmp_path / "optional", values, '["age"]')
    with pytest.raises(AnomaliesFoundError, match="2 anomalies in the examples, of age"):
        pass_anomaly_gate(tmp_path / "needed", values)


@pytest.mark.parametrize(
    "values",
    [
        {"train": [float("nan")] * 2, "evaluation": [1.0, 2.0]},
        {"train": [float("nan")] * 2, "evaluation": [float("nan")] * 2},
        {"train": [1.0, 2.0], "evaluation": [-3.0, 2.0]},
    ],
)
def test_a_field_that_the_training_lacks_or_that_has_wrong_values_stops_the_pipeline(
    tmp_path: Path, values: dict[str, list[float]]
) -> None:
    with pytest.raises(AnomaliesFoundError, match="of age"):
        pass_anomaly_gate(tmp_path, values, '["age"]')


BEFORE = {
    "region": ["north"] * 5 + ["south"] * 3 + ["east"] * 2,
    "device": ["a"] * 10,
    "age": [1.0] * 5 + [2.0] * 5,
}
NOW = {
    "region": ["north"] * 2 + ["south"] * 3 + ["east"] * 5,
    "device": ["a"] * 5 + ["b"] * 5,
    "age": [1.0] * 5 + [2.0] * 5,
}


def statistics(folder: Path, columns: dict[str, list[Any]] | None) -> list[Any]:
    """An artifact with the statistics of a train split; [] for None."""
    if columns is None:
        return []
    import pandas as pd
    import tfx  # noqa: F401
    from tfx.types import standard_artifacts

    import tensorflow_data_validation as tfdv  # isort: skip

    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri, artifact.split_names = str(folder), '["train"]'
    found = tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))
    (folder / "Split-train").mkdir(parents=True)
    (folder / "Split-train" / "FeatureStats.pb").write_bytes(found.SerializeToString())
    return [artifact]


def check(
    folder: Path, thresholds: dict[str, dict[str, float]], before: dict[str, list[Any]] | None
) -> DriftResult:
    from pipeline.validate.checks import DriftCheck, DriftReport

    report = DriftReport()
    report.uri = str(folder / "drift")
    (folder / "drift").mkdir()
    DriftCheck.EXECUTOR_SPEC.executor_class().Do(
        {
            "statistics": statistics(folder / "now", NOW),
            "previous": statistics(folder / "before", before),
        },
        {"drift": [report]},
        {"thresholds": json.dumps(thresholds)},
    )
    return read_drift(report.uri)


def pass_drift_gate(folder: Path) -> None:
    from pipeline.validate.checks import DriftGate, DriftReport

    report = DriftReport()
    report.uri = str(folder / "drift")
    DriftGate.EXECUTOR_SPEC.executor_class().Do({"drift": [report]}, {}, {})


def test_l_infinity_is_the_largest_difference_of_a_values_share(tmp_path: Path) -> None:
    # North falls from .5 to .2, east rises from .2 to .5.
    [region] = check(tmp_path, {"region": {"l_infinity": 0.25}}, BEFORE).fields
    assert region.distance == pytest.approx(0.3)
    assert region.is_beyond


def test_jensen_shannon_is_in_bits(tmp_path: Path) -> None:
    # (1, 0) and (.5, .5) have the mean (.75, .25):
    # .5 · log2(1 / .75) + .5 · (.5 · log2(.5 / .75) + .5 · log2(.5 / .25)) = .2075 + .1037
    device, age = check(
        tmp_path, {"device": {"jensen_shannon": 0.4}, "age": {"jensen_shannon": 0.01}}, BEFORE
    ).fields
    assert device.distance == pytest.approx(0.3113, abs=1e-4)
    assert not device.is_beyond
    assert age.distance == pytest.approx(0.0, abs=1e-9)
    pass_drift_gate(tmp_path)


def test_a_field_without_values_is_beyond_any_threshold(tmp_path: Path) -> None:
    without = {name: values for name, values in BEFORE.items() if name != "region"}
    [region] = check(tmp_path, {"region": {"l_infinity": 1.0}}, without).fields
    assert region.distance is None
    assert region.is_beyond


def test_the_gate_names_the_fields_and_their_distances(tmp_path: Path) -> None:
    check(tmp_path, {"region": {"l_infinity": 0.25}, "device": {"l_infinity": 0.9}}, BEFORE)
    with pytest.raises(
        DriftFoundError, match="drifted since the last run that pushed a model, in region\n"
    ) as stopped:
        pass_drift_gate(tmp_path)
    assert stopped.value.__notes__ == ["region: l_infinity 0.3000, threshold 0.25"]


def test_the_first_run_has_nothing_to_compare_with_and_passes(tmp_path: Path) -> None:
    assert check(tmp_path, {"region": {"l_infinity": 0.25}}, None) == DriftResult(
        is_compared=False, fields=[]
    )
    pass_drift_gate(tmp_path)


def test_thresholds_reach_the_component_as_they_are_in_the_spec() -> None:
    from tfx import types
    from tfx.types import standard_artifacts

    from pipeline.validate.checks import DriftCheck

    channel = types.Channel(type=standard_artifacts.ExampleStatistics)
    spec = load_spec("short_video").model_copy(
        update={"drift": Drift(thresholds={"x": DistributionThreshold(l_infinity=0.5)})}
    )
    component = DriftCheck(spec=spec, statistics=channel, previous=channel)
    assert json.loads(component.exec_properties["thresholds"]) == {"x": {"l_infinity": 0.5}}


def previous(current: int, runs: list[tuple[int, bool]]) -> int | None:
    """Which statistics are chosen; `runs` in their order: the id of each one's statistics, and whether it pushed."""
    from tfx.types import standard_artifacts

    from pipeline.resolvers.earlier_runs import LastPushedStatistics

    def artifact(kind: type[Any], number: int) -> Any:
        made = kind()
        made.id = number
        return made

    by_run: dict[int, list[Any]] = {}
    pushed_models = []
    for run, (number, has_pushed) in enumerate(runs):
        pushed = artifact(standard_artifacts.PushedModel, 100 + run)
        pushed.set_int_custom_property("pushed", int(has_pushed))
        pushed_models.append(pushed)
        by_run[run] = [artifact(standard_artifacts.ExampleStatistics, number), pushed]
    # The run under way.
    by_run[len(runs)] = [artifact(standard_artifacts.ExampleStatistics, current)]
    known = {made.id: made for artifacts in by_run.values() for made in artifacts if made.id < 100}
    store = SimpleNamespace(
        get_contexts_by_type=lambda _: [SimpleNamespace(id=run) for run in by_run],
        get_artifacts_by_context=by_run.__getitem__,
    )
    chosen = LastPushedStatistics().resolve_artifacts(
        store,
        {
            "current": [known[current]],
            "statistics": list(known.values()),
            "pushed_model": pushed_models,
        },
    )
    assert [made.id for made in chosen["current"]] == [current]
    ids = [made.id for made in chosen["statistics"]]
    return ids[0] if ids else None


def test_the_last_run_that_pushed_counts_and_not_one_that_was_refused_or_stopped() -> None:
    assert previous(3, [(1, True), (2, False)]) == 1
    assert previous(3, [(1, True), (2, True)]) == 2


def test_a_run_on_the_same_examples_is_compared_with_what_its_forerunner_was() -> None:
    assert previous(2, [(1, True), (2, True)]) == 1


def test_a_return_to_older_examples_is_compared_with_the_newer_ones() -> None:
    assert previous(1, [(1, True), (2, True)]) == 2


def test_without_another_run_that_pushed_there_is_nothing() -> None:
    assert previous(1, []) is None
    assert previous(1, [(1, True)]) is None
    assert previous(2, [(1, False)]) is None
