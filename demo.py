"""The demo of `make demo`: simulated logs to ranked lists, by the commands that a user would type.

Exit code 0 means that a model was blessed, pushed, served and asked for rankings. Nothing keeps
running when the demo ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fulcrum import (
    Candidate,
    FieldValue,
    HistoryPolicy,
    LmdbHistoryStore,
    RankedList,
    RankingClient,
    RankingRequest,
    load_spec,
)
from serving.model_server.process import ServerProcessError, serving_process
from serving.ui.shown_histories import shown_counts, shown_sequences

FOLDER = Path("demo_run")
FULCRUM = Path(sys.executable).with_name("fulcrum")
USERS, CANDIDATES, LAST = 2, 6, 3
CHANGED_TASK, CHANGED_WEIGHT = "shr", 3.0
EVENING_AFTER_S = 20 * 3600
TIMEOUT_MS = 3_600_000.0  # ends a call that hangs; a slow machine never takes this long

# The spec's own budget is for a machine that serves; a laptop busy with other work must pass, too.
LATENCY_BUDGET_MS = 60_000

console = Console(highlight=False)


def main() -> None:
    """Simulate logs, run the pipeline, serve the model, and rank."""
    began = time.monotonic()
    logs, root = FOLDER / "logs", FOLDER / "root"
    fulcrum("simulate", "--out", logs, "--days", 8, "--rows-per-day", 12_500, "--seed", 1)
    run = ("run", "--spec", "short_video", "--logs", logs, "--root", root)
    fulcrum(*run, "--set", f"serving.latency_budget_ms={LATENCY_BUDGET_MS}")
    store = ("--spec", "short_video", "--store", FOLDER / "histories")
    fulcrum("histories", "publish", "--state", root, *store)
    spec = load_spec("short_video")
    with (
        model_server(root) as target,
        contextlib.closing(LmdbHistoryStore(FOLDER / "histories", spec)) as histories,
        RankingClient(
            target,
            spec,
            timeout_ms=TIMEOUT_MS,
            histories=histories,
            history_policy=HistoryPolicy(timeout_ms=TIMEOUT_MS),
        ) as client,
    ):
        for request in requests(logs):
            show(request, client)
    console.print(
        f"\n[bold]Done in {time.monotonic() - began:.0f} s.[/bold] "
        f"Everything is in {FOLDER}/; next, try:"
    )
    console.print(f"  {FULCRUM.parent / 'fulcrum'} serve --root {root} --ui")
    console.print(
        f"  {FULCRUM.parent / 'fulcrum'} histories inspect {' '.join(map(str, store))} "
        "--field user_id=u1",
        soft_wrap=True,
    )
    console.print(f"  {FULCRUM.parent / 'tensorboard'} --logdir {root}")


def fulcrum(*arguments: object) -> None:
    """Run one command as a user would; if it fails, end the demo with its exit code."""
    console.print(f"\n[bold]$ fulcrum {' '.join(map(str, arguments))}[/bold]")
    code = subprocess.run([FULCRUM, *map(str, arguments)], check=False).returncode
    if code:
        sys.exit(code)


@contextlib.contextmanager
def model_server(root: Path) -> Iterator[str]:
    """Serve the models of a root on a free port of loopback, and yield the address."""
    log = FOLDER / "serve.log"
    console.print(f"\n[bold]$ fulcrum serve --root {root} --port 0[/bold]")
    with contextlib.ExitStack() as stack:
        with console.status("Starting the model server …") as status:
            try:
                target, _ = stack.enter_context(
                    serving_process(
                        ["--root", str(root)],
                        log,
                        lambda elapsed_s: status.update(
                            f"Starting the model server … {elapsed_s:.0f} s (log: {log})"
                        ),
                    )
                )
            except ServerProcessError as error:
                sys.exit(str(error))
        console.print(f"Listening on {target} (log: {log})")
        yield target


def requests(logs: Path) -> list[RankingRequest]:
    """Return requests of some users, with some videos, on wifi on the evening after the logs.

    They hold nothing of what the users did before, which the history store knows.
    """
    draw = random.Random(1)
    users = draw.sample(rows(logs / "users.jsonl.gz"), USERS)
    videos = {video["video_id"]: video for video in rows(logs / "videos.jsonl.gz")}
    exposures = rows(sorted(logs.glob("day=*/*.jsonl.gz"))[-1])
    durations = {
        row["video_id"]: row["duration_s"] for row in exposures if row.get("duration_s") is not None
    }
    context: dict[str, FieldValue] = {"scenario": "auto_play", "hour": 21, "network": "wifi"}
    return [
        RankingRequest(
            user=user,
            context=context,
            at_s=exposures[-1]["time_ms"] / 1000 + EVENING_AFTER_S,
            candidates=[
                Candidate(id=video, fields={**videos[video], "duration_s": durations[video]})
                for video in draw.sample(sorted(durations), CANDIDATES)
            ],
        )
        for user in users
    ]


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table of the logs."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def show(request: RankingRequest, client: RankingClient) -> None:
    """Rank one request twice and show both orders.

    The first ranking uses the formula of the model; the second one changes a weight in the request.
    """
    ranked = client.rank(request)
    changed = client.rank(dataclasses.replace(request, weights={CHANGED_TASK: CHANGED_WEIGHT}))
    filled = ranked.histories
    if filled is None:
        sys.exit("the history store did not answer; see the warning above")
    before = {**filled.user, **filled.context}
    counts = shown_counts(client.spec, before)
    [played] = shown_sequences(client.spec, before)
    console.print(f"\n[bold]User {request.user['user_id']}[/bold]: {counts['user']}; last played:")
    console.print(last_of(played))
    console.print(
        side_by_side(
            f"User {request.user['user_id']}, model version {ranked.model_version}", ranked, changed
        )
    )


def last_of(sequence: dict[str, Any]) -> Table:
    """Return a table of the newest exposures of a sequence."""
    table = Table(*sequence["columns"], box=box.SIMPLE_HEAD)
    for row in sequence["rows"][:LAST]:
        table.add_row(*row)
    return table


def side_by_side(title: str, ranked: RankedList, changed: RankedList) -> Table:
    """Return a table of both orders of the candidates."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("video")
    for task in ranked.candidates[0].scores:
        table.add_column(task, justify="right")
    table.add_column("ranking score", justify="right")
    table.add_column("rank", justify="right")
    table.add_column(f"rank with {CHANGED_TASK}^{CHANGED_WEIGHT:g}", justify="right")
    new_rank = {candidate.position: candidate.rank for candidate in changed}
    for candidate in ranked:
        rank = new_rank[candidate.position]
        moved = "" if rank == candidate.rank else " ▲" if rank < candidate.rank else " ▼"
        scores = [f"{score:.3f}" for score in candidate.scores.values()]
        order = [f"{candidate.ranking_score:.4f}", str(candidate.rank), f"{rank}{moved}"]
        table.add_row(str(candidate.candidate.id), *scores, *order)
    return table


if __name__ == "__main__":
    main()
