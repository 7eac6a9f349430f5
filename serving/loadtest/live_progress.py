"""A load test while it runs."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from serving.loadtest.load_generator import LoadGenerator
from serving.loadtest.measurements import Measurements
from serving.loadtest.summary import distribution

_REFRESH_S = 0.25


def run_to_the_end(
    generator: LoadGenerator, seconds: float, console: Console
) -> tuple[Measurements, float]:
    """Runs a load test and shows how far it is. Gives what happened, and for how many seconds requests were due.

    An interrupt ends the test early; it is then about the requests that were due until then.

    Args:
        generator: not yet started.
        seconds: how long requests are due.
        console: where to show it.
    """
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=seconds)
        generator.start()
        try:
            while not generator.wait(_REFRESH_S):
                now = generator.progress()
                waiting = now.sent - now.answered - now.failed
                latency = distribution(now.recent_latency_s)
                bar.update(
                    task,
                    completed=min(now.elapsed_s, seconds),
                    description=f"sent {now.sent:,}  answered {now.answered:,}  failed {now.failed:,}  open {waiting:,}  "
                    f"p50 {latency.p50_ms:.1f} ms  p99 {latency.p99_ms:.1f} ms",
                )
        except KeyboardInterrupt:
            seconds = min(seconds, generator.elapsed_s)
            console.print(f"Interrupted after {seconds:.1f} s.", style="yellow")
        return generator.stop(), seconds
