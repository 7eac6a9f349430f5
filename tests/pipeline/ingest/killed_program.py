"""Ingests logs undisturbed, then again and again, killed at a random moment each time but the last.

Arguments: spec, logs, folder of the roots `undisturbed` and `killed`, number of kills. Each attempt
is a process of its own, forked when TFX is loaded, so that the kill falls into the ingestion: at
some moment of the time that the undisturbed attempt took. Prints how many attempts were killed
before they ended.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from pipeline.commands.run_options import beam_arguments
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.ingest.component import LogsExampleGen
from pipeline.runner.local_runner import run_pipeline


def ingest(spec: str, logs: str, root: str) -> None:
    """One attempt, always with the same pipeline."""
    run_pipeline(
        Pipeline(
            pipeline_name="killed",
            pipeline_root=f"{root}/artifacts",
            components=[
                LogsExampleGen(load_overridden_spec(spec, ["histories.warm_up_days=0"]), logs)
            ],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                f"{root}/metadata.sqlite"
            ),
            beam_pipeline_args=beam_arguments([]),
        )
    )


def attempt(spec: str, logs: str, root: str, kill_after_s: float | None) -> bool:
    """Whether the attempt came to its end."""
    child = os.fork()
    if not child:
        ingest(spec, logs, root)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return True
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return status == 0


def main(spec: str, logs: str, folder: str, kills: int) -> None:
    """All attempts."""
    draw = random.Random(kills)
    undisturbed, disturbed = f"{folder}/undisturbed", f"{folder}/killed"
    os.makedirs(undisturbed)
    os.makedirs(disturbed)
    began_s = time.monotonic()
    ended = attempt(spec, logs, undisturbed, None)
    longest_s = time.monotonic() - began_s
    killed = 0
    while killed < kills:
        if attempt(spec, logs, disturbed, draw.uniform(0.0, longest_s)):
            break
        killed += 1
    ended = attempt(spec, logs, disturbed, None) and ended
    sys.stdout.write(f"killed {killed} ended {ended}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
