"""Which model and version a request's ModelSpec asks for, with the checks in TensorFlow Serving's order."""

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
        all: the models. A model that is no longer served stays, for its versions in END.
        changing: held by the one thread that may add models, change what is kept of them, or `poll`
            one.
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
        """The model of that name, if any."""
        return next((model for model in self.all if model.name == name), None)

    def use(self, model_spec: ModelSpec) -> AbstractContextManager[VersionInUse]:
        """Holds the version that a request asks for in memory.

        Raises:
            StatusError: the spec names no model, a label that is not given, or nothing that is
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
        """Brings what is loaded of each model in line with its folder; the failure of one is no other's."""
        with self.changing:
            for model in self.all:
                try:
                    model.poll(self._load)
                except Exception:
                    logger.exception(
                        "%s: looking for versions failed; trying again", model.name or model.root
                    )
