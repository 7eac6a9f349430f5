"""The exported model and the ingested examples that a command is given."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from feature_spec import names
from feature_spec.artifacts.newest_outputs import newest_model, of_newest_execution
from feature_spec.names import artifacts_place, is_uri
from feature_spec.spec import FeatureSpec
from feature_spec.spec_difference import differences, parts_text
from pipeline.workspace.artifact_files import matching_files


class NothingToPredictError(ValueError):
    """There is no exported model, or there is no example that it could score."""


def exported_model(folder: Path) -> Path:
    """Find the SavedModel in a folder.

    Args:
        folder: a SavedModel, a folder of versions, of which the newest is taken, or a pipeline
            root, whose newest pushed model is taken.

    Raises:
        NothingToPredictError: there is no model that Fulcrum exported.
    """
    found = newest_model(folder, names.EXPORTED_SPEC)
    if found is not None:
        return found
    raise NothingToPredictError(
        f"{folder} is neither an exported model (with saved_model.pb and {names.EXPORTED_SPEC}), "
        f"nor a folder of versions, nor a pipeline root with a pushed model in "
        f"{names.SERVING_MODEL}/"
    )


def spec_for_logs(spec: FeatureSpec, of_model: FeatureSpec) -> FeatureSpec:
    """Return a spec, which says how to read logs, if it has the fields and tasks of a model.

    Raises:
        NothingToPredictError: it has not; the message says what differs.
    """
    if spec.fingerprint == of_model.fingerprint:
        return spec
    found = differences(spec, parts_text(of_model)) or ["their fields or tasks differ"]
    raise NothingToPredictError(
        f"--spec {spec.name} is not that of the model: {'; '.join(found)}. Give the spec that the "
        "model was trained with"
    )


def newest_evaluation_split(root: Path) -> list[str]:
    """Return the files of the newest evaluation split of a pipeline root; none without one."""
    pattern = f"*ExampleGen/examples/*/Split-{names.EVALUATION}/*"
    return of_newest_execution(matching_files(artifacts_place(root), pattern))


def example_files(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the files of ingested examples, each once.

    Args:
        folder: a pipeline root, whose newest evaluation split is taken if no pattern is given.
        patterns: files or globs, which may be URIs.

    Raises:
        NothingToPredictError: there are no files.
    """
    if not patterns:
        found = newest_evaluation_split(folder)
        if not found:
            raise NothingToPredictError(
                f"give --logs or --examples: {folder} is no pipeline root with an evaluation "
                f"split in {artifacts_place(folder)}/*ExampleGen/examples/"
            )
        return found
    matches = {pattern: _matching(pattern) for pattern in patterns}
    for pattern, files in matches.items():
        if not files:
            raise NothingToPredictError(f"no file matches --examples {pattern}")
    return list(dict.fromkeys(file for files in matches.values() for file in files))


def split_of(file: str) -> str | None:
    """Return the split that a file of examples belongs to, by its folder; None if it is in none."""
    folder = file.split("/")[-2] if "/" in file else ""
    return folder.removeprefix("Split-") if folder.startswith("Split-") else None


def _matching(pattern: str) -> list[str]:
    if is_uri(pattern):
        folder, _, name = pattern.rpartition("/")
        return matching_files(folder, name)
    return [file for file in sorted(glob.glob(pattern)) if Path(file).is_file()]
