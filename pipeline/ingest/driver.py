"""The driver of `LogsExampleGen`."""

from __future__ import annotations

from typing import Any

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import InputProcessor, QueryBasedInputProcessor


class LogsDriver(FileBasedDriver):
    """TFX's driver of files, which looks for changes in them; of sources that have none, only the spec can change."""

    def get_input_processor(
        self, splits: Any, range_config: Any = None, input_base_uri: str | None = None
    ) -> InputProcessor:
        """What takes the fingerprint of the input."""
        if not splits:
            return QueryBasedInputProcessor(splits, range_config)
        return super().get_input_processor(splits, range_config, input_base_uri)
