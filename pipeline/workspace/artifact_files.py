"""Files of artifacts: on this machine, or at a URI such as ``gs://`` on a file system that Beam knows.

What reads these files does without TFX and TensorFlow, which take their time to load; Beam is
loaded for URIs only.
"""

from __future__ import annotations

import glob
from pathlib import Path

from feature_spec.names import is_uri


def read_bytes(path: str) -> bytes:
    """The content of a file.

    Raises:
        OSError: it cannot be read.
    """
    if not is_uri(path):
        return Path(path).read_bytes()
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        content: bytes = file.read()
        return content


def write_bytes(path: str, content: bytes) -> None:
    """Writes a file into a folder that is there.

    Raises:
        OSError: it cannot be written.
    """
    if not is_uri(path):
        Path(path).write_bytes(content)
        return
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def matching_files(folder: str, pattern: str) -> list[str]:
    """The files below a folder whose paths match, sorted. `*` does not cross folders, `**` does.

    Raises:
        OSError: the file system cannot be reached.
    """
    if not is_uri(folder):
        paths = (f"{folder}/{path}" for path in glob.glob(pattern, root_dir=folder, recursive=True))
        return sorted(path for path in paths if Path(path).is_file())
    from apache_beam.io.filesystems import FileSystems

    (result,) = FileSystems.match([f"{folder}/{pattern}"])
    return sorted(found.path for found in result.metadata_list)


def is_file(path: str) -> bool:
    """Whether there is such a file.

    Raises:
        OSError: the file system cannot be reached.
    """
    if not is_uri(path):
        return Path(path).is_file()
    from apache_beam.io.filesystems import FileSystems

    found: bool = FileSystems.exists(path)
    return found
