"""Progress of a run on the console: a line for each node, and our own log records."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from pipeline.runner.local_runner import NodeRun

# Our packages log below this name if a user wants to follow it, such as the metrics of an epoch.
_FOLLOWED = "fulcrum"


def memory_text(size_bytes: int) -> str:
    """Return a size as text, such as 1.53 GB."""
    return f"{size_bytes / 1e9:.2f} GB"


class RunProgress(logging.Handler):
    """Shows a run on a console.

    On a terminal the running node has a spinner and its elapsed time.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        # Libraries print noise meanwhile, which does not belong on the console.
        self._progress = Progress(
            *columns,
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._running: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        logging.getLogger(_FOLLOWED).addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger(_FOLLOWED).removeHandler(self)
        self._progress.stop()

    def started(self, node: str) -> None:
        """Show that a node begins."""
        if self._running is not None:
            self._progress.remove_task(self._running)
        self._running = self._progress.add_task(node)
        if not self._console.is_terminal:
            self._console.print(f"{node}: running", highlight=False)

    def ended(self, run: NodeRun) -> None:
        """Show that a node has ended well."""
        memory = memory_text(run.peak_memory_bytes)
        self._console.print(
            f"{run.node}: {run.state} in {run.elapsed_s:.1f} s, peak memory {memory}",
            highlight=False,
        )

    def warned(self, warning: str) -> None:
        """Show a warning."""
        self._console.print(Text(f"  Warning: {warning}", style="yellow"), soft_wrap=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a log record of our own packages."""
        self._console.print(Text(f"  {record.getMessage()}", style="dim"))
