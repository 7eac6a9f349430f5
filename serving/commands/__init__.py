"""`fulcrum serve`, `fulcrum rank`, `fulcrum loadtest` and `fulcrum histories`."""

from __future__ import annotations

import typer

from serving.commands import histories
from serving.commands.loadtest import loadtest
from serving.commands.rank import rank
from serving.commands.serve import serve


def add_to(app: typer.Typer) -> None:
    """Register the commands of this package."""
    app.command("serve")(serve)
    app.command("rank")(rank)
    app.command("loadtest")(loadtest)
    histories.add_to(app)
