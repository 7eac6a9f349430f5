"""A log, or ingested examples, with a model's scores: as `fulcrum predict`, from Python."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from feature_spec import names
from feature_spec.loading import load_spec
from feature_spec.spec import FeatureSpec
from pipeline.predict.log_examples import ingest
from pipeline.predict.model_lookup import (
    NothingToPredictError,
    example_files,
    exported_model,
    spec_for_logs,
)
from pipeline.predict.predictions import Predictions, check_fields, write_predictions


def predict(
    model: Path | str,
    *,
    out: Path | str,
    spec: FeatureSpec | None = None,
    logs: Path | str | None = None,
    examples: Sequence[str] = (),
    fields: Sequence[str] = (),
    beam_arguments: Sequence[str] = (),
) -> Predictions:
    """Score every usable line of a log, or ingested examples, into a Parquet file.

    A row has the keys of an example, its split, label, mask and score of each task, and the ranking
    score. A label is null outside the sample space of its task. No negative is sampled out, and
    scores are those of the served model.

    Args:
        model: a pipeline root, whose newest pushed model is taken, or a model's folder.
        out: the Parquet file, which appears when it is complete.
        spec: with `logs`, the spec that says how to read them; it has the model's fields and tasks.
        logs: the folder that the spec's log paths are relative to, or its URI.
        examples: in place of logs, TFRecord files of ingested examples, or globs. Defaults to the
            newest evaluation split of the root.
        fields: fields to write, too, as columns `field_NAME`.
        beam_arguments: options of Beam's pipeline, which ingests the logs.

    Returns:
        What the file holds, and what became of every line of the logs.

    Raises:
        ValueError: there is no model, it is not that of the spec, or nothing can be scored.
        OSError: a file cannot be read or written.
    """
    if logs is not None and examples:
        raise NothingToPredictError("give logs or examples, not both")
    if spec is None and logs is not None:
        raise NothingToPredictError(
            f"logs need the spec that says how to read them; received {logs} without one"
        )
    if spec is not None and logs is None:
        raise NothingToPredictError(
            f"a spec says how to read logs; received {spec.name} without any"
        )
    folder = exported_model(Path(model))
    of_model = load_spec(folder / names.EXPORTED_SPEC)
    check_fields(of_model, fields)
    if logs is None or spec is None:
        files = example_files(Path(model), examples)
        return write_predictions(of_model, folder, files, Path(out), fields=fields)
    used = spec_for_logs(spec, of_model)
    with tempfile.TemporaryDirectory() as scratch:
        files, summary = ingest(used, str(logs), Path(scratch), list(beam_arguments))
        found = write_predictions(used, folder, files, Path(out), fields=fields, ingested=summary)
    if found.rows != sum(summary.examples.values()):
        raise NothingToPredictError(
            f"{sum(summary.examples.values()):,} examples ingested are not {found.rows:,} "
            "predictions; please report this"
        )
    return found
