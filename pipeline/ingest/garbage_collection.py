"""Python's garbage collector beside large libraries."""

from __future__ import annotations

import gc


def spare_imported_objects() -> None:
    """Keeps the collector from looking, every few batches, through all that TensorFlow and TFX consist of."""
    gc.freeze()
