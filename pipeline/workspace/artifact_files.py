"""Files of artifacts: on this machine, or at a URI such as ``gs://`` on a file system of Beam.

All reading and writing of artifacts outside ingestion goes through this module, which needs neither
TFX nor TensorFlow and loads Beam for URIs only.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feature_spec.names import is_uri


def read_bytes(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: the file cannot be read.
    """
    with _opened(path) as file:
        content: bytes = file.read()
        return content


def write_bytes(path: str, content: bytes) -> None:
    """Write a file, and the folder that holds it.

    Raises:
        OSError: the file cannot be written.
    """
    with _created(path) as file:
        file.write(content)


def matching_files(folder: str, pattern: str) -> list[str]:
    """Return the files below a folder whose paths match a pattern, sorted.

    Args:
        folder: a folder or URI.
        pattern: a glob pattern relative to the folder; `*` does not cross folders, `**` does;
            `**/` stands for any number of folders, also none.

    Raises:
        OSError: the file system cannot be reached.
    """
    if not is_uri(folder):
        paths = (f"{folder}/{path}" for path in glob.glob(pattern, root_dir=folder, recursive=True))
        return sorted(path for path in paths if Path(path).is_file())
    # Beam's `**/` stands for one folder at least
    first, *others = pattern.split("**/")
    parts = [(f"**/{part}", part) for part in others]
    patterns = [f"{folder}/{first}{''.join(rest)}" for rest in itertools.product(*parts)]
    results = _beam().match(patterns)
    objects = {found.path for result in results for found in result.metadata_list}
    # TensorFlow makes a folder of an object store as an empty object with a slash at its end.
    return sorted(path for path in objects if not path.endswith("/"))


def matching_folders(folder: str, pattern: str) -> list[str]:
    """Return the folders below a folder whose paths match a pattern, sorted.

    Args:
        folder: a folder or URI. At a URI only folders with files are found.
        pattern: a glob pattern relative to the folder, without `**`.

    Raises:
        OSError: the file system cannot be reached.
    """
    if not is_uri(folder):
        paths = (f"{folder}/{path}" for path in glob.glob(pattern, root_dir=folder))
        return sorted(path for path in paths if Path(path).is_dir())
    depth = folder.count("/") + pattern.count("/") + 2
    files = matching_files(folder, f"{pattern}/**")
    return sorted({"/".join(file.split("/")[:depth]) for file in files})


def is_file(path: str) -> bool:
    """Return whether a file exists.

    Raises:
        OSError: the file system cannot be reached.
    """
    if not is_uri(path):
        return Path(path).is_file()
    found: bool = _beam().exists(path)
    return found


def make_folder(folder: str) -> None:
    """Make a folder; a URI has folders only where it has files."""
    if not is_uri(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)


def remove_folder(folder: str) -> None:
    """Remove a folder with all that it holds, if it exists.

    Raises:
        OSError: the folder cannot be removed.
    """
    if not is_uri(folder):
        if Path(folder).exists():
            shutil.rmtree(folder)
    elif matching_files(folder, "**"):
        # Object stores take a path without the slash for that of an object.
        _beam().delete([folder.rstrip("/") + "/"])


def copy_folder(source: str, target: str) -> None:
    """Make a folder that holds the files of another folder, and nothing else.

    Args:
        source: a folder or URI.
        target: a folder or URI that does not hold `source`, nor lies in it. What it held is
            removed.

    Raises:
        OSError: a file cannot be read, written or removed.
    """
    remove_folder(target)
    if is_uri(source):
        for file in matching_files(source, "**"):
            copy_file(file, f"{target}/{file.removeprefix(source).lstrip('/')}")
        return
    for path in sorted(Path(source).rglob("*")):
        if path.is_file():
            copy_file(str(path), f"{target}/{path.relative_to(source).as_posix()}")


def copy_file(source: str, target: str) -> None:
    """Copy a file, and make the folder that holds the copy.

    Raises:
        OSError: the file cannot be read or written.
    """
    with _opened(source) as original, _created(target) as copy:
        shutil.copyfileobj(original, copy)


def link_or_copy_file(source: str, target: str) -> None:
    """Link a file where both places are on one file system that has links; else copy the file.

    A file that is at the target already is replaced, not written to: it may have other links.

    Raises:
        OSError: the file cannot be read or written.
    """
    if not is_uri(source) and not is_uri(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        if Path(target).exists():
            if Path(target).samefile(source):
                return
            Path(target).unlink()
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    copy_file(source, target)


@contextlib.contextmanager
def local_copy(folder: str) -> Iterator[str]:
    """Give a folder of this machine with the files of a folder or URI.

    For a URI it is a copy, which is removed afterwards.
    """
    if not is_uri(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = f"{temporary}/copy"
        copy_folder(folder, copy)
        yield copy


@contextlib.contextmanager
def filled_folder(folder: str) -> Iterator[str]:
    """Give the path of a folder of this machine, to be made and filled, for a new folder or URI.

    For a URI it is another folder, which is copied to the URI at the end.
    """
    if not is_uri(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = f"{temporary}/made"
        yield made
        copy_folder(made, folder)


def _opened(path: str) -> Any:
    if not is_uri(path):
        return Path(path).open("rb")
    return _beam().open(path, compression_type=_uncompressed())


def _created(path: str) -> Any:
    if not is_uri(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return Path(path).open("wb")
    return _beam().create(path, compression_type=_uncompressed())


def _beam() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def _uncompressed() -> Any:
    from apache_beam.io.filesystem import CompressionTypes

    return CompressionTypes.UNCOMPRESSED
