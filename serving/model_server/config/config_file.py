"""The file that says what is served: TensorFlow Serving's ModelServerConfig as text."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.model_server.config.reload import apply_config
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.model_registry import ModelRegistry

logger = logging.getLogger(__name__)


class ConfigFile:
    """A configuration on disk, applied at the start and, on request, when the file changes."""

    def __init__(self, path: Path, *, poll_s: float = 0.0, labels_may_wait: bool = False) -> None:
        """Read nothing yet.

        Args:
            path: The file.
            poll_s: Seconds between two looks at the file; 0 for none after the start.
            labels_may_wait: Whether a new label may name a version that is not AVAILABLE yet.
        """
        self.path = path
        self.labels_may_wait = labels_may_wait
        self._poll_s = poll_s
        self._looked_at_s = time.monotonic()
        self._in_force: ModelServerConfig | None = None
        self._refusal = ""

    def apply(self, models: ModelRegistry) -> None:
        """Serve what the file lists.

        Raises:
            StatusError: The file cannot be read, or its configuration is refused.
        """
        config = self._read()
        apply_config(models, config, labels_may_wait=self.labels_may_wait)
        self._in_force = config

    def poll(self, models: ModelRegistry) -> None:
        """Serve what the file lists, if the file has changed.

        A file that is refused changes nothing, and is tried again.
        """
        if not self._poll_s or time.monotonic() - self._looked_at_s < self._poll_s:
            return
        self._looked_at_s = time.monotonic()
        try:
            if self._read() != self._in_force:
                self.apply(models)
                logger.info("%s has changed and is in force", self.path)
            self._refusal = ""
        except StatusError as error:
            if error.text != self._refusal:
                logger.error("%s is not taken over: %s", self.path, error.text)
            self._refusal = error.text

    def _read(self) -> ModelServerConfig:
        try:
            config: ModelServerConfig = text_format.Parse(
                self.path.read_text(encoding="utf-8"), ModelServerConfig()
            )
        except (OSError, UnicodeDecodeError) as error:
            raise invalid_argument(f"{self.path} cannot be read: {error}") from error
        except text_format.ParseError as error:
            raise invalid_argument(
                f"{self.path} is no ModelServerConfig in text form: line {error}"
            ) from error
        return config
