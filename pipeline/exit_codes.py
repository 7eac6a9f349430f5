"""How the pipeline's commands end."""

from __future__ import annotations

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
