"""The part of the pipeline's report beyond metrics. The pipeline names it by import path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feature_spec.artifacts.inspection import ModelInsight
from trainer.formula_search.weight_effects import weight_effects
from trainer.inspect.collect import inspect_model
from trainer.inspect.exported_signatures import ExportedSignatures


def model_insight(*, model: str, example_files: Sequence[str]) -> ModelInsight:
    """Look into a model with logged examples.

    Args:
        model: folder of the trainer's export.
        example_files: gzipped TFRecords of ingested examples, which the trainer did not train on.

    Returns:
        What the model shows of its inside, and what each weight of its formula decides.

    Raises:
        trainer.inspect.exported_model.ExportedModelError: the model cannot be inspected, or the
            examples cannot be read.
    """
    folder, files = Path(model), list(example_files)
    signatures = ExportedSignatures(folder)
    try:
        return ModelInsight(
            inspection=inspect_model(folder, files, signatures=signatures),
            weight_effects=weight_effects(folder, files, signatures=signatures),
        )
    finally:
        signatures.close()
