"""Components of `fulcrum.components` in a TFX pipeline of somebody's own, beside those of TFX."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from fulcrum import FeatureSpec, parse_spec, ready_specs

pytest.importorskip("tfx")
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

ROWS_PER_DAY = 200


def _spec() -> FeatureSpec:
    """Clicks on the simulator's logs; any model is good enough."""
    document = yaml.safe_load(ready_specs()["short_video"].read_text())
    kept = ("user_id", "scenario", "video_id", "duration_s")
    document |= {
        "fields": {name: document["fields"][name] for name in kept},
        "tasks": {"ctr": document["tasks"]["ctr"] | {"threshold": 0.0, "tolerance": 1.0}},
        "ranking_formula": {"weights": {"ctr": 1.0}},
    }
    for section in ("histories", "evaluation", "drift", "skew", "tuner", "model", "trainer"):
        document.pop(section, None)
    return parse_spec(json.dumps(document))


def _write_model(folder: Path) -> str:
    """A Model artifact of somebody's own: short videos are clicked more."""
    import tensorflow as tf

    class Shortness(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            read = tf.io.FixedLenFeature([], tf.float32, default_value=0.0)
            duration = tf.io.parse_example(examples, {"duration_s": read})["duration_s"]
            score = tf.sigmoid(-duration / 100.0)
            return {"ctr": score, "ranking_score": score}

    model = Shortness()
    signatures = {"serving_default": model.serve}
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=signatures)
    return str(folder)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The pipeline, run to its end: logs to statistics, and a model judged on them and pushed."""
    from tfx.components import StatisticsGen
    from tfx.dsl.components.common.importer import Importer
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner
    from tfx.types.standard_artifacts import Model

    from fulcrum import components
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    folder = tmp_path_factory.mktemp("own_pipeline")
    simulate_logs(SimulationSettings(days=2, rows_per_day=ROWS_PER_DAY, seed=1), folder / "logs")
    spec = _spec()

    ingest = components.LogsExampleGen(spec=spec, logs=str(folder / "logs"))
    statistics = StatisticsGen(examples=ingest.outputs["examples"])
    model = Importer(source_uri=_write_model(folder / "model"), artifact_type=Model)
    evaluator = components.Evaluator(
        spec=spec, examples=ingest.outputs["examples"], model=model.outputs["result"]
    )
    pusher = components.RenamingPusher(
        folder=folder / "served",
        model=model.outputs["result"],
        model_blessing=evaluator.outputs["blessing"],
    )
    root = folder / "root"
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="own",
            pipeline_root=str(root),
            components=[ingest, statistics, model, evaluator, pusher],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(root / "metadata.sqlite")
            ),
            beam_pipeline_args=["--direct_running_mode=in_memory"],
        )
    )
    return SimpleNamespace(root=root, served=folder / "served")


def test_logs_are_ingested_and_each_line_is_counted(ended: SimpleNamespace) -> None:
    (summary,) = ended.root.glob("LogsExampleGen/examples/*/ingest_summary.json")
    counted = json.loads(summary.read_text())
    assert sum(counted["examples"].values()) == counted["lines"] == 2 * ROWS_PER_DAY
    assert counted["examples"]["evaluation"] == ROWS_PER_DAY


def test_tfx_statistics_read_the_examples(ended: SimpleNamespace) -> None:
    import tfx  # noqa: F401 (before TFDV, which on Python 3.11 needs TFX's stand-in)
    import tensorflow_data_validation as tfdv  # isort: skip

    (file,) = ended.root.glob("StatisticsGen/statistics/*/Split-evaluation/FeatureStats.pb")
    (dataset,) = tfdv.load_stats_binary(str(file)).datasets
    assert dataset.num_examples == ROWS_PER_DAY
    assert {"user_id", "duration_s", "label_of_ctr"} <= {
        feature.path.step[0] for feature in dataset.features
    }


def test_the_evaluator_judges_and_blesses_the_model(ended: SimpleNamespace) -> None:
    from pipeline.evaluate.evaluation_result import read_evaluation

    (blessing,) = ended.root.glob("Evaluator/blessing/*")
    assert [path.name for path in blessing.iterdir()] == ["BLESSED"]
    (evaluation,) = ended.root.glob("Evaluator/evaluation/*")
    (verdict,) = read_evaluation(str(evaluation)).tasks
    assert verdict.task == "ctr"


def test_the_pusher_publishes_the_blessed_model_as_a_version(ended: SimpleNamespace) -> None:
    (version,) = ended.served.iterdir()
    assert version.name.isdigit()
    assert (version / "saved_model.pb").exists()
