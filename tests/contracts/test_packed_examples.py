"""A training reads the same columns from ingested examples as from those that Transform wrote."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

# Fields of every kind beside those of the ready spec, and rows that histories have not seen yet.
MORE = [
    "fields.age_group.default=none",
    "fields.duration_s.transform=quantiles",
    "fields.duration_s.buckets=7",
    "fields.region.hash_buckets=3",
    "sampling={negative_rates: {vtr: 0.7, ctr: 0.5}}",
]


class Transformed:
    """Ingested examples of every kind of field, their transform graph, and transformed examples."""

    def __init__(self, folder: Path) -> None:
        import tfx  # noqa: F401  (before TFDV)
        from tfx.orchestration import metadata
        from tfx.orchestration.pipeline import Pipeline

        from pipeline.commands.run_options import beam_arguments
        from pipeline.commands.spec_overrides import load_overridden_spec
        from pipeline.deployment import LocalDeployment
        from pipeline.ingest.component import LogsExampleGen
        from pipeline.pipeline import data_nodes
        from pipeline.runner.local_runner import run_pipeline
        from pipeline.simulator.simulate import simulate_logs
        from pipeline.simulator.simulation_config import SimulationSettings
        from pipeline.step_specs import training_spec
        from pipeline.workspace.root import Root

        self.folder = folder
        simulate_logs(SimulationSettings(days=4, rows_per_day=200, seed=1), folder / "logs")
        spec = load_overridden_spec("short_video", MORE)
        self.spec = training_spec(spec)
        data = data_nodes(
            spec,
            LogsExampleGen(spec, str(folder / "logs")),
            LocalDeployment(Root(folder)),
            None,
            materialize=True,
        )
        kept = ("LogsExampleGen", "SpecSchema", "StatisticsGen", "ExampleValidator", "AnomalyGate")
        runs = run_pipeline(
            Pipeline(
                pipeline_name="transformed",
                pipeline_root=str(folder / "artifacts"),
                components=[node for node in data.nodes if node.id in (*kept, "Transform")],
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.sqlite")
                ),
                beam_pipeline_args=beam_arguments([]),
            )
        )
        self.places = {
            name: artifacts[0].uri for run in runs for name, artifacts in run.outputs.items()
        }

    def inputs(self, root: Path, *, materialized: bool, **trainer: Any) -> Any:
        """Return the inputs of a training whose checkpoints lie below a root."""
        from trainer.inputs.training_inputs import training_inputs
        from trainer.inputs.training_job import TrainingJob
        from trainer.settings.train_config import parse_settings

        examples = self.places["transformed_examples" if materialized else "examples"]
        return training_inputs(
            TrainingJob(
                spec=self.spec,
                settings=parse_settings({}, {"materialize_transform": materialized, **trainer}),
                train_files=[f"{examples}/Split-train/*"],
                validation_files=[f"{examples}/Split-validation/*"],
                transform_graph=self.places["transform_graph"],
                checkpoints=str(root / "checkpoints"),
                model="",
                curves="",
            )
        )


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    return Transformed(tmp_path_factory.mktemp("transformed"))


def _written(root: Path) -> dict[Path, int]:
    """Return when each file of columns was written, by its path."""
    folder = root / "packed_examples"
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


def test_the_columns_are_those_of_beam_byte_for_byte(
    transformed: Transformed, tmp_path: Path
) -> None:
    by_trainer = transformed.inputs(tmp_path / "trainer", materialized=False).examples()
    by_beam = transformed.inputs(tmp_path / "beam", materialized=True).examples()
    for ours, theirs in zip(by_trainer, by_beam, strict=True):
        assert ours.rows == theirs.rows > 10
        assert ours.columns.keys() == theirs.columns.keys()
        for name, column in ours.columns.items():
            assert column.dtype == theirs.columns[name].dtype
            assert column.tobytes() == theirs.columns[name].tobytes(), name
    # The comparison is of something: histories, labels and masks differ from row to row.
    columns = by_trainer[0].columns
    assert min(len(np.unique(columns[name], axis=0)) for name in columns) > 1


def test_trainings_with_other_settings_share_columns(
    transformed: Transformed, tmp_path: Path
) -> None:
    transformed.inputs(tmp_path, materialized=False).examples()
    first = _written(tmp_path)
    transformed.inputs(tmp_path, materialized=False, epochs=3, learning_rate=0.5).examples()
    assert _written(tmp_path) == first != {}


def test_columns_may_be_deleted_at_any_time(transformed: Transformed, tmp_path: Path) -> None:
    inputs = transformed.inputs(tmp_path, materialized=False)
    train, _ = inputs.examples()
    before = {name: np.array(column) for name, column in train.columns.items()}
    shutil.rmtree(tmp_path / "packed_examples")
    # What a training has open stays.
    assert all(
        np.array_equal(column, before[name], equal_nan=True)
        for name, column in train.columns.items()
    )
    again, _ = inputs.examples()
    for file in (tmp_path / "packed_examples").rglob("labels.sorted"):
        file.unlink()
    once_more, _ = inputs.examples()
    for name, column in before.items():
        assert column.tobytes() == again.columns[name].tobytes()
        assert column.tobytes() == once_more.columns[name].tobytes()


def test_columns_of_other_examples_take_the_place_of_the_last(
    transformed: Transformed, tmp_path: Path
) -> None:
    inputs = transformed.inputs(tmp_path, materialized=False)
    inputs.examples()
    first = _written(tmp_path)
    copied = tmp_path / "others"
    shutil.copytree(transformed.places["examples"], copied)
    others = inputs.job.model_copy(update={"train_files": [f"{copied}/Split-train/*"]})
    type(inputs)(**{**vars(inputs), "job": others}).examples()
    second = _written(tmp_path)
    assert len({file.parent.parent for file in second}) == 1
    assert not first.keys() & second.keys()
