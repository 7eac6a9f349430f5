"""TFX components in a pipeline of their own, each timed by the runner.

Arguments: system, folder of the logs, number of rows, root. The systems `exposures`, `events` and
`csv` ingest by Fulcrum and `csv_example_gen` by TFX. The system `transform` ingests `exposures`
and goes on to statistics and Transform.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.worker import report

SPECS = {
    "exposures": "short_video",
    "transform": "short_video",
    "events": "short_video_events",
    "csv": "short_video",
}


def components(system: str, logs: Path, root: Path) -> list[Any]:
    """Return the nodes of a system."""
    import tfx  # noqa: F401, I001  (before TFDV)
    from tfx.components import CsvExampleGen, Transform
    from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen

    from google.protobuf import text_format

    from feature_spec.logs.source import Source
    from pipeline.commands.spec_overrides import load_overridden_spec
    from pipeline.ingest.component import LogsExampleGen
    from pipeline.validate.schema import schema_from_spec
    from pipeline.validate.statistics_gen import StatisticsGen
    from pipeline.step_specs import transform_spec

    if system == "csv_example_gen":
        return [CsvExampleGen(input_base=str(logs / "csv"))]
    spec = load_overridden_spec(SPECS[system], ["histories=null"])
    if system == "csv":
        source = Source.model_validate({"path": "csv/*.csv", "format": "csv"})
        fields = spec.fields | {
            "recent_videos": spec.fields["recent_videos"].model_copy(update={"separator": "|"})
        }
        tables = {
            name: table.model_copy(update={"path": [f"exposures/{path}" for path in table.path]})
            for name, table in spec.logs.tables.items()
        }
        changed = spec.logs.model_copy(update={"exposures": source, "tables": tables})
        spec = spec.model_copy(update={"logs": changed, "fields": fields})
    folder = {"events": logs / "events", "csv": logs}.get(system, logs / "exposures")
    examples = LogsExampleGen(spec, str(folder))
    if system != "transform":
        return [examples]
    schema_file = root / "schema.pbtxt"
    root.mkdir(parents=True)
    schema_file.write_text(text_format.MessageToString(schema_from_spec(spec)))
    schema = ImportSchemaGen(schema_file=str(schema_file))
    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="pipeline.transform.preprocessing.preprocessing_fn",
        custom_config={"spec": transform_spec(spec)},
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    return [examples, StatisticsGen(examples=examples.outputs["examples"]), schema, transform]


def main(system: str, logs: Path, rows: int, root: Path) -> None:
    """Run the nodes of a system and report the figures of each."""
    nodes = components(system, logs, root)
    from tfx.orchestration import metadata
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.commands.run_options import beam_arguments
    from pipeline.runner.local_runner import run_pipeline

    runs = run_pipeline(
        Pipeline(
            pipeline_name="benchmark",
            pipeline_root=str(root / "artifacts"),
            components=nodes,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(root / "metadata.sqlite")
            ),
            beam_pipeline_args=beam_arguments([]),
        )
    )
    figures = {
        run.node: {
            "rows": rows,
            "elapsed_s": run.elapsed_s,
            "peak_memory_bytes": run.peak_memory_bytes,
        }
        for run in runs
        if run.node != "ImportSchemaGen"
    }
    report(figures)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
