"""Files that commands write: what an option names is tried before the work begins."""

from __future__ import annotations

from pathlib import Path

import typer


def writable_file(path: Path | None) -> Path | None:
    """Return the path of an option, which names a file to write; None without the option.

    The folder is made if it does not exist.

    Raises:
        typer.BadParameter: the file cannot be written, such as to a read-only folder.
    """
    if path is not None:
        try:
            is_new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab"):
                pass
        except OSError as error:
            raise typer.BadParameter(f"{path}: cannot be written: {error.strerror}") from error
        if is_new:
            path.unlink()
    return path
