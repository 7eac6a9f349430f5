"""Folders of artifacts for what works on this machine's files only, such as a model server. Importing this loads TFX."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

from tfx.utils import io_utils

from feature_spec.names import is_uri


@contextlib.contextmanager
def local_copy(folder: str) -> Iterator[str]:
    """Gives the folder itself, or for a URI a copy, which is removed afterwards."""
    if not is_uri(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = f"{temporary}/copy"
        io_utils.copy_dir(folder, copy)
        yield copy


@contextlib.contextmanager
def filled_folder(folder: str) -> Iterator[str]:
    """Gives the folder, which is not there yet, to be made; or for a URI another one, which is copied to it at the end."""
    if not is_uri(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = f"{temporary}/made"
        yield made
        io_utils.copy_dir(made, folder)
