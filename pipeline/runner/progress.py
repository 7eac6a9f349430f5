"""What a user sees while the pipeline runs: a line a node, and what our own code logs meanwhile."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from pipeline.runner.local_runner import NodeRun

# Packages log below this name what a user wants to follow, such as the metrics of an epoch.
_FOLLOWED = "fulcrum"


def memory_text(size_bytes: int) -> str:
    """Such as 1.53 GB."""
    return f"{size_bytes / 1e9:.2f} GB"


class RunProgress(logging.Handler):
    """Shows a run on a console. On a terminal the running node has a spinner and its elapsed time."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        # What is printed meanwhile is noise, which does not belong on the console.
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
        """A node begins."""
        if self._running is not None:
            self._progress.remove_task(self._running)
        self._running = self._progress.add_task(node)
        if not self._console.is_terminal:
            self._console.print(f"{node}: running", highlight=False)

    def ended(self, run: NodeRun) -> None:
        """A node has ended well."""
        memory = memory_text(run.peak_memory_bytes)
        self._console.print(
            f"{run.node}: {run.state} in {run.elapsed_s:.1f} s, peak memory {memory}",
            highlight=False,
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a log record of our own packages."""
        self._console.print(Text(f"  {record.getMessage()}", style="dim"))
