"""How the pipeline's commands end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.text import Text

# 2 is typer's own, for wrong usage.
EXIT_CODES = {"pushed": 0, "superseded": 0, "failed": 1, "refused": 3}
INTERRUPTED = 130


def failed(error: Exception) -> typer.Exit:
    """Says what is wrong; to be raised."""
    Console(stderr=True).print(Text.assemble(("Error:", "red"), f" {error}"), soft_wrap=True)
    return typer.Exit(EXIT_CODES["failed"])


@contextlib.contextmanager
def ended_early() -> Iterator[None]:
    """Ends the command where the root cannot be used, or somebody interrupts it."""
    from pipeline.workspace.root import RootError
    from pipeline.workspace.run_lock import RootInUseError

    try:
        yield
    except (RootInUseError, RootError) as error:
        raise failed(error) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
