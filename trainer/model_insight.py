"""What the pipeline's report says of a model beyond its metrics, named by the pipeline by import path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.formula_search.weight_effects import weight_effects
from trainer.inspect.collect import inspect_model


def model_insight(*, model: str, example_files: Sequence[str]) -> dict[str, Any]:
    """Looks into a model with logged examples.

    Args:
        model: folder of the trainer's export.
        example_files: gzipped TFRecords of ingested examples, which the trainer did not train on.

    Returns:
        `inspection`, as of `trainer.inspect.inspection.Inspection`, and `weight_effects`, as of
        `trainer.formula_search.weight_effects.WeightEffects`; both ready for JSON.

    Raises:
        trainer.inspect.exported_model.ExportedModelError: the model cannot be inspected, or the
            examples cannot be read.
    """
    folder, files = Path(model), list(example_files)
    return {
        "inspection": inspect_model(folder, files).model_dump(mode="json"),
        "weight_effects": weight_effects(folder, files).model_dump(mode="json"),
    }
