"""The exported model and the ingested examples in the folders that a command is given."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from feature_spec import names
from feature_spec.artifacts.newest_outputs import newest_model, of_newest_execution
from feature_spec.names import artifacts_place, is_uri


class ExportedModelError(ValueError):
    """There is no exported model, or there are no readable examples."""


def model_folder(folder: Path) -> Path:
    """Find the SavedModel in a folder.

    Args:
        folder: a SavedModel, a folder of versions, of which the newest is taken, or a pipeline
            root, whose newest pushed model is taken.

    Raises:
        ExportedModelError: there is no model.
    """
    found = newest_model(folder)
    if found is not None:
        return found
    raise ExportedModelError(
        f"{folder} is neither an exported model (with saved_model.pb), nor a folder of versions, "
        f"nor a pipeline root with a pushed model in {names.SERVING_MODEL}/"
    )


def evaluation_examples(root: Path) -> list[str]:
    """Return the files of the newest evaluation split of a pipeline root; none without a split."""
    artifacts = artifacts_place(root)
    folder = artifacts if is_uri(artifacts) else glob.escape(artifacts)
    return of_newest_execution(
        _matching(f"{folder}/*ExampleGen/examples/*/Split-{names.EVALUATION}/*")
    )


def example_files(folder: Path, examples: Sequence[str], purpose: str) -> list[str]:
    """Return the files of ingested examples, gzipped TFRecords, each once.

    Args:
        folder: a pipeline root, whose newest evaluation split is taken if no examples are given.
        examples: files or globs, which may be URIs.
        purpose: the reason why examples are needed, for the error.

    Raises:
        ExportedModelError: there are no examples.
    """
    if not examples:
        found = evaluation_examples(folder)
        if not found:
            raise ExportedModelError(
                f"give --examples: {purpose}, and {folder} is no pipeline root with an evaluation "
                f"split in {artifacts_place(folder)}/*ExampleGen/examples/"
            )
        return found
    matches = {pattern: _matching(pattern) for pattern in examples}
    for pattern, files in matches.items():
        if not files:
            raise ExportedModelError(f"no file matches --examples {pattern}")
    return list(dict.fromkeys(file for files in matches.values() for file in files))


@contextlib.contextmanager
def reading(files: Sequence[str]) -> Iterator[None]:
    """Name the files in the error if TensorFlow cannot read or parse them.

    Raises:
        ExportedModelError: the files are not what `fulcrum run` ingests.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError) as error:
        # TensorFlow quotes what it cannot parse, which fails if that is no text.
        reason = getattr(error, "message", "a record is no tf.Example")
        raise ExportedModelError(
            "the examples are not gzipped TFRecords of tf.Examples as `fulcrum run` ingests them "
            f"({', '.join(files)}): {reason}"
        ) from error


def _matching(pattern: str) -> list[str]:
    if not is_uri(pattern):
        return sorted(glob.glob(pattern))
    import tensorflow as tf

    try:
        return sorted(tf.io.gfile.glob(pattern))
    except tf.errors.OpError as error:
        raise ExportedModelError(f"{pattern} cannot be read: {error.message}") from error
