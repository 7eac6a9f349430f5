"""The gate reads what ExampleValidator wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.validate.anomalies import AnomaliesFoundError

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def pass_gate(folder: Path, values: dict[str, list[float]]) -> None:
    """Validates examples with the numbers `age` of each split, which the schema wants between 0 and 100, and passes the gate."""
    import pandas as pd
    import tensorflow_data_validation as tfdv
    import tfx  # noqa: F401
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx.components.example_validator.executor import Executor
    from tfx.types import standard_artifacts

    from pipeline.validate.anomaly_gate import AnomalyGate

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
    AnomalyGate.EXECUTOR_SPEC.executor_class().Do({"anomalies": [anomalies]}, {}, {})


def test_examples_without_anomalies_pass(tmp_path: Path) -> None:
    pass_gate(tmp_path, {"train": [1.0, 50.0], "evaluation": [100.0]})


def test_an_anomaly_in_any_split_stops_the_pipeline_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnomaliesFoundError, match="1 anomaly in the examples, of age") as stopped:
        pass_gate(tmp_path, {"train": [1.0, 50.0], "evaluation": [-3.0, 7.0]})
    [table] = stopped.value.__notes__
    [row] = table.splitlines()[1:]
    assert row.split()[:3] == ["age", "evaluation", "ERROR"]
    assert "-3" in row
