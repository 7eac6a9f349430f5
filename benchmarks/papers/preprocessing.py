"""Preprocessing, once for all models, by the ingestion and the Transform of the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.papers.workload import Examples, Workload
from feature_spec import names
from feature_spec.feature_layout import FeatureLayout, vocabulary_file
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec

# Ids are rows of tables, and tables have fewer than 2 billion rows.
_DTYPES = {"int64": np.int32, "float32": np.float32}
DESCRIPTION = "workload.json"


def preprocess(spec: FeatureSpec, logs: Path, folder: Path) -> None:
    """Ingest and transform all three splits and keep them in a folder, unless they are there.

    Args:
        spec: gives the fields, the tasks and the split.
        logs: the folder that the log paths of the spec are relative to.
        folder: keeps the artifacts of the pipeline in `raw/`, and the examples in `<split>.npz`.
    """
    description = folder / DESCRIPTION
    if description.exists() and json.loads(description.read_text(encoding="utf-8"))[
        "learnt"
    ] == what_is_learnt(spec):
        return
    import tensorflow as tf
    import tensorflow_transform as tft

    artifacts = _run_components(spec, logs, folder)
    transform = tft.TFTransformOutput(str(artifacts["transform_graph"]))
    features = transform.transformed_feature_spec()
    for split in names.SPLITS:
        files = tf.data.Dataset.list_files(
            str(artifacts["transformed_examples"] / f"Split-{split}" / "*"), shuffle=False
        )
        records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(8192)
        parts = [tf.io.parse_example(batch, features) for batch in records]
        columns = {
            name: np.concatenate([part[name].numpy() for part in parts]) for name in features
        }
        np.savez(
            folder / f"{split}.npz",
            **{name: values.astype(_DTYPES[values.dtype.name]) for name, values in columns.items()},
        )
    feature_layout = FeatureLayout(spec)
    files_of_vocabularies = [
        vocabulary_file(width)
        for width in feature_layout.widths
        if feature_layout.has_vocabulary(width)
    ]
    facts = {
        "learnt": what_is_learnt(spec),
        "spec": spec.model_dump_json(exclude_unset=True),
        "vocabulary_sizes": {
            file: transform.vocabulary_size_by_name(file) for file in files_of_vocabularies
        },
        "ingestion": json.loads(
            (artifacts["examples"] / "ingest_summary.json").read_text(encoding="utf-8")
        ),
        "examples": str(artifacts["examples"].relative_to(folder)),
    }
    description.write_text(json.dumps(facts), encoding="utf-8")


def what_is_learnt(spec: FeatureSpec) -> dict[str, Any]:
    """Return the parts of the spec that a comparison depends on.

    Other parts, such as those for blessing, do not change the results.
    """
    document = spec.model_dump(mode="json", exclude_unset=True)
    return {
        part: document[part]
        for part in ("keys", "logs", "split", "fields", "histories", "tasks")
        if part in document
    }


def ingested_examples(folder: Path, split: str) -> list[Path]:
    """Return the files of ingested examples of a split, from before Transform."""
    facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return sorted((folder / facts["examples"] / f"Split-{split}").iterdir())


def ingestion_counts(folder: Path) -> dict[str, object]:
    """Return the ingestion summary: lines read, rejected by reason, and examples by split."""
    facts: dict[str, object] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))[
        "ingestion"
    ]
    return facts


def load_workload(folder: Path) -> Workload:
    """Load the tasks, the layout and the examples that `preprocess` wrote into the folder."""
    from trainer.network.network_layout import network_layout

    facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    spec = parse_spec(facts["spec"])
    splits: dict[str, Examples] = {}
    for split in names.SPLITS:
        with np.load(folder / f"{split}.npz") as arrays:
            splits[split] = {name: arrays[name] for name in arrays.files}
    return Workload(
        tasks=spec.tasks, layout=network_layout(spec, facts["vocabulary_sizes"]), splits=splits
    )


def _run_components(spec: FeatureSpec, logs: Path, folder: Path) -> dict[str, Path]:
    """Run the components of the pipeline up to Transform and return their outputs by name.

    Here, Transform also transforms the evaluation split.
    """
    from google.protobuf import text_format
    from tfx.components import Transform
    from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
    from tfx.orchestration import metadata
    from tfx.orchestration.pipeline import Pipeline
    from tfx.proto import transform_pb2

    from pipeline.commands.run_options import beam_arguments
    from pipeline.ingest.component import LogsExampleGen
    from pipeline.runner.local_runner import run_pipeline
    from pipeline.step_specs import transform_spec
    from pipeline.validate.schema import schema_from_spec
    from pipeline.workspace.capture_output import capture_output

    raw = (folder / "raw").resolve()
    raw.mkdir(parents=True, exist_ok=True)
    schema_file = raw / "schema.pbtxt"
    schema_file.write_text(text_format.MessageToString(schema_from_spec(spec)), encoding="utf-8")
    with capture_output(folder / "preprocessing.log"):
        example_gen = LogsExampleGen(spec, str(logs))
        schema = ImportSchemaGen(schema_file=str(schema_file))
        transform = Transform(
            examples=example_gen.outputs["examples"],
            schema=schema.outputs["schema"],
            preprocessing_fn="pipeline.transform.preprocessing.preprocessing_fn",
            custom_config={"spec": transform_spec(spec)},
            splits_config=transform_pb2.SplitsConfig(
                analyze=[names.TRAIN], transform=list(names.SPLITS)
            ),
            disable_statistics=True,
            disable_analyzer_cache=True,
        )
        runs = run_pipeline(
            Pipeline(
                pipeline_name=f"papers_{spec.name}",
                pipeline_root=str(raw),
                components=[example_gen, schema, transform],
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(raw / "metadata.sqlite")
                ),
                beam_pipeline_args=beam_arguments([]),
            )
        )
    outputs = {
        name: artifacts[0].uri
        for run in runs
        for name, artifacts in run.outputs.items()
        if artifacts
    }
    return {name: Path(uri) for name, uri in outputs.items()}
