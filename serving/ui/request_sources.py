"""Where the page's requests come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feature_spec.spec import FeatureSpec
from serving.errors import RankingError
from serving.model_server.methods.warm_up import WARM_UP_FILE
from serving.ui.logged_examples import evaluation_files, requests_of_examples
from serving.ui.logged_request import LoggedRequest
from serving.ui.request_files import requests_of_file


class NoRequestsError(RankingError):
    """There is nothing to make a ranking request of. The message tells where it was looked for."""


def logged_requests(
    spec: FeatureSpec, version_folder: Path, files: Sequence[Path] = ()
) -> tuple[list[LoggedRequest], str]:
    """Ranking requests for a model, and in words where they come from.

    Args:
        spec: of the model.
        version_folder: of the model, ``<pipeline's root>/serving_model/<version>`` or elsewhere.
        files: request files. Without any, the root's evaluation split is read, else the version's
            warm-up file.

    Raises:
        NoRequestsError: none of these is there.
        RequestFileError: a file cannot be used.
    """
    if files:
        requests = [request for file in files for request in requests_of_file(spec, file)]
        return requests, ", ".join(file.name for file in files)
    examples = evaluation_files(version_folder.parent.parent)
    if examples:
        return requests_of_examples(
            spec, examples
        ), "the evaluation split, which the model was not trained on"
    warm_up = version_folder / WARM_UP_FILE
    if warm_up.exists():
        return requests_of_file(spec, warm_up), "the version's warm-up file"
    raise NoRequestsError(
        f"no logged requests: {version_folder.parent.parent} has no ingested examples and {version_folder} no {WARM_UP_FILE}; "
        "give request files with --ui-requests"
    )
