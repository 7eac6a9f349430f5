"""One served model as the page sees it: versions, logged requests, and their rankings over gRPC."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feature_spec import names
from feature_spec.formula import weights_in_force
from feature_spec.loading import SpecError, load_spec
from feature_spec.spec import FeatureSpec
from feature_spec.spec_tables import sample_space_text
from feature_spec.tasks.task import Task
from serving.client.ranking_client import RankingClient
from serving.client.side_tables import SideTables
from serving.client.types import Candidate, FieldValue, RankedList, RankingRequest
from serving.errors import RankingError
from serving.model_server.status_error import StatusError
from serving.model_server.versions.served_model import ServedModel
from serving.model_server.versions.version import VersionState
from serving.rank.rank_report import explain
from serving.ui.attended_past import attended_past
from serving.ui.logged_request import LoggedRequest
from serving.ui.request_sources import logged_requests
from serving.ui.shown_histories import given_fields, shown_counts, shown_sequences


def task_meaning(task: Task) -> str:
    """Return a task's meaning in words, such as ``probability of shared, if played``."""
    kind = "probability of" if task.kind == "binary" else "expected"
    limited = task.sample_space is not None or task.given is not None
    condition = f", if {sample_space_text(task)}" if limited else ""
    return f"{kind} {task.label.text}{condition}"


# The server runs in this process, so that a slow answer still comes: this ends a hang only.
_TIMEOUT_MS = 600_000.0


class PageModel:
    """A model, with the answers to the page's questions about it.

    Many threads may use one. Close it when done.
    """

    def __init__(self, served: ServedModel, target: str, request_files: Sequence[Path]) -> None:
        """Keep the arguments, and ask the server nothing yet.

        Args:
            served: The served model, with its versions and their folders.
            target: The gRPC address of the server, which every score comes from.
            request_files: Files with requests; without any, those that the pipeline or the export
                has left.
        """
        self._served = served
        self._target = target
        self._request_files = request_files
        self._lock = threading.Lock()
        self._clients: dict[int, RankingClient] = {}
        self._requests: tuple[int, list[LoggedRequest], str] | None = None
        self._tables: SideTables | None = None  # of the same version

    @property
    def name(self) -> str | None:
        """The model's name; None until its first version is seen."""
        return self._served.name

    def versions(self) -> list[int]:
        """Return the versions that answer requests, newest first."""
        return self._served.available_versions()

    def description(self) -> dict[str, Any]:
        """Return everything that the page shows but scores; or an `error` in words."""
        described: dict[str, Any] = {"name": self.name, "versions": self.versions()}
        try:
            if not described["versions"]:
                raise RankingError("no version is loaded yet")
            spec = self._client(described["versions"][0]).spec
            requests, source = self._logged_requests(described["versions"][0])
        except (RankingError, SpecError) as error:
            return described | {"error": str(error)}
        duration = spec.ranking_formula.duration
        return described | {
            "tasks": {name: task_meaning(task) for name, task in spec.tasks.items()},
            "weights": weights_in_force(spec.ranking_formula, spec.tasks),
            "duration": duration and duration.model_dump(include={"field", "transform", "scale"}),
            "source": source,
            "requests": [
                {
                    "label": logged.label,
                    "user": given_fields(spec, logged.request.user),
                    "context": given_fields(spec, logged.request.context),
                    "counts": shown_counts(spec, known := _of_request(logged.request)),
                    "sequences": shown_sequences(spec, known),
                    "candidates": len(logged.request.candidates),
                    "shown": logged.shown,
                }
                for logged in requests
            ],
        }

    def ranking(
        self, number: int, version: int | None, weights: Mapping[str, float]
    ) -> dict[str, Any]:
        """Rank a logged request by a version, beside the order that its own weights give.

        Args:
            number: The number of the request in the description.
            version: The version that is to rank; None for the newest.
            weights: Weights that replace the model's own.

        Raises:
            LookupError: There is no such request.
            RankingError: The client or the server refuses.
        """
        newest = next(iter(self.versions()), None)
        if newest is None:
            raise RankingError("no version is loaded")
        requests, _ = self._logged_requests(newest)
        if number >= len(requests):
            raise LookupError(f"request {number}: valid: 0 to {len(requests) - 1}")
        client = self._client(newest if version is None else version)
        request = _known_to(client.spec, requests[number].request, weights)
        own_weights = weights_in_force(client.spec.ranking_formula, client.spec.tasks)
        began_s = time.perf_counter()
        ranked = client.rank(request)
        latency_ms = 1000.0 * (time.perf_counter() - began_s)
        in_force = own_weights | dict(request.weights)
        own = (
            ranked if in_force == own_weights else client.rank(_known_to(client.spec, request, {}))
        )
        return {
            "version": ranked.model_version,
            "latency_ms": latency_ms,
            "weights": in_force,
            "candidates": _candidates(
                client.spec,
                ranked,
                own,
                in_force,
                shown=requests[number].shown,
                attended=self._attended(client.spec, ranked.model_version, request),
                tables=self._tables,
            ),
        }

    def _attended(
        self, spec: FeatureSpec, version: int, request: RankingRequest
    ) -> list[list[dict[str, Any]]]:
        """Return what the candidates attend to, in their order; nothing if the version has gone."""
        try:
            with self._served.use(version) as used:
                return attended_past(spec, used.model, request)
        except StatusError:
            return [[] for _ in request.candidates]

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _client(self, version: int) -> RankingClient:
        """Return a client for a version, with the spec that this version was trained with.

        Raises:
            RankingError: The version is not in service.
            SpecError: The version carries no usable spec.
        """
        with self._lock:
            if version not in self._clients:
                spec = load_spec(self._folder(version) / names.EXPORTED_SPEC).served
                self._clients[version] = RankingClient(
                    self._target,
                    spec,
                    model_name=self.name,
                    version=version,
                    timeout_ms=_TIMEOUT_MS,
                    channels=1,
                )
            return self._clients[version]

    def _logged_requests(self, version: int) -> tuple[list[LoggedRequest], str]:
        """Read anew for each newest version: it may know other fields than the one before."""
        spec = self._client(version).spec
        with self._lock:
            if self._requests is None or self._requests[0] != version:
                folder = self._folder(version)
                requests, source = logged_requests(spec, folder, self._request_files)
                self._requests = version, requests, source
                self._tables = _tables_of(spec, folder)
            return self._requests[1:]

    def _folder(self, number: int) -> Path:
        for version in self._served.statuses():
            if version.number == number and version.state == VersionState.AVAILABLE:
                return version.folder
        raise RankingError(
            f"version {number} is not in service; in service: "
            f"{', '.join(map(str, self.versions())) or 'none'}"
        )


def _tables_of(spec: FeatureSpec, folder: Path) -> SideTables | None:
    """Return the side tables of a version, for the texts of items; None if it has none."""
    try:
        return SideTables.read(spec, folder)
    except ValueError:
        return None


def _of_request(request: RankingRequest) -> dict[str, FieldValue]:
    return {**request.user, **request.context}


def _known_to(
    spec: FeatureSpec, request: RankingRequest, weights: Mapping[str, float]
) -> RankingRequest:
    """Return a request without the fields that this version was not trained with."""

    def known(side: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name in spec.fields_of(side)}

    return RankingRequest(
        user=known("user", request.user),
        context=known("context", request.context),
        candidates=[
            Candidate(id=one.id, fields=known("item", one.fields)) for one in request.candidates
        ],
        weights=weights,
    )


def _candidates(
    spec: FeatureSpec,
    ranked: RankedList,
    own: RankedList,
    weights: Mapping[str, float],
    *,
    shown: int,
    attended: Sequence[list[dict[str, Any]]],
    tables: SideTables | None,
) -> list[dict[str, Any]]:
    own_ranks = {candidate.position: candidate.rank for candidate in own}
    return [
        {
            "position": candidate.position,
            "id": candidate.candidate.id,
            "display": tables.display(candidate.candidate.fields) if tables else None,
            "fields": given_fields(spec, candidate.candidate.fields),
            "counts": shown_counts(spec, candidate.candidate.fields),
            "attended": attended[candidate.position],
            "shown": candidate.position < shown,
            "rank": candidate.rank,
            "own_rank": own_ranks[candidate.position],
            "scores": candidate.scores,
            "factors": {term.name: term.factor for term in explain(spec, candidate, weights).terms},
            "ranking_score": candidate.ranking_score,
            "log_ranking_score": candidate.log_ranking_score,
        }
        for candidate in ranked
    ]
