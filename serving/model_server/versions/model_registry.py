"""The models of a server, and the lookup of the version that a request's ModelSpec asks for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager

from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.model_server.status_error import invalid_argument
from serving.model_server.versions.served_model import Load, ServedModel, servable_not_found
from serving.model_server.versions.version import VersionInUse

logger = logging.getLogger(__name__)


class ModelRegistry:
    """The models of a server, by the name that each may only learn from its first version.

    Attributes:
        all: The models. A model that is no longer served stays, for its versions in END.
        changing: A lock, held by the one thread that adds models, changes their policies, or polls.
    """

    def __init__(
        self, models: Iterable[ServedModel] = (), *, load: Load, max_candidates: int | None = None
    ) -> None:
        """Serve nothing until the first `poll`.

        Args:
            models: The models.
            load: Makes a warm model of a version's folder.
            max_candidates: The limit on candidates of every version in use; None for none.
        """
        self.all = list(models)
        self._load = load
        self._max_candidates = max_candidates
        self.changing = threading.RLock()

    def named(self, name: str) -> ServedModel | None:
        """Return the model of a name, if any."""
        return next((model for model in self.all if model.name == name), None)

    def use(self, model_spec: ModelSpec) -> AbstractContextManager[VersionInUse]:
        """Hold the version that a request asks for in memory.

        Checks are made in TensorFlow Serving's order.

        Raises:
            StatusError: The spec names no model, a label that is not given, or nothing that is
                AVAILABLE.
        """
        if not model_spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        model = self.named(model_spec.name)
        choice = model_spec.WhichOneof("version_choice")
        number = model_spec.version.value if choice == "version" else None
        if choice == "version_label":
            number = model.labels.get(model_spec.version_label) if model else None
            if number is None:
                raise invalid_argument(
                    f"Unrecognized servable version label: {model_spec.version_label}"
                )
        if model is None:
            raise servable_not_found(model_spec.name, number)
        return model.use(number, max_candidates=self._max_candidates)

    def poll(self) -> None:
        """Bring the loaded versions of each model in line with its folder.

        The failure of one model does not touch another.
        """
        with self.changing:
            for model in self.all:
                try:
                    model.poll(self._load)
                except Exception:
                    logger.exception(
                        "%s: looking for versions failed; trying again", model.name or model.root
                    )
