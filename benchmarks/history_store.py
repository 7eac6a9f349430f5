"""The time of reading histories: one user and 500 candidates, from LMDB and from Redis.

    python -m benchmarks.history_store --redis redis://127.0.0.1:6379/0 --json FILE

The request asks for two counts of items, one with two windows, two counts of the user with an item,
and a sequence of 50, each count of five tasks. Beside it stands the time of `rank` itself, in
process, for as many candidates (`benchmarks.serving`). The systems take turns, so a busy machine
slows all of them: read the ratios, not the milliseconds. A run takes about 3 minutes on 2 cores.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.worker import machine
from feature_spec.histories.history_values import history_key
from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from serving.histories import layout, sequence_entries
from serving.histories.count_rows import folded
from serving.histories.keyed_store import KeyedHistoryStore
from serving.histories.lmdb_store import LmdbHistoryStore
from serving.histories.redis_store import RedisHistoryStore
from serving.histories.sequence_entries import Entry

_TASK = (
    "{{kind: binary, label: {{rule: event, column: {0}}}, metric: auc, threshold: 0, tolerance: 1}}"
)
SPEC = f"""
name: history_benchmark
keys: {{user: user_id, item: video_id, event_time: {{column: time_us, unit: us}}}}
logs: {{exposures: {{path: "*.jsonl", format: jsonl}}}}
split: {{evaluation_days: 1}}
histories:
  known_after_s: 600
  counts:
    video: {{by: [video_id], windows_s: [86400, 604800]}}
    author: {{by: [author_id]}}
    user_author: {{by: [user_id, author_id]}}
    user_tag: {{by: [user_id, tag]}}
  sequences:
    clicked:
      by: user_id
      where: {{event: click}}
      fields: [video_id, author_id, tag]
      max_length: 50
fields:
  user_id: {{side: user, kind: categorical}}
  video_id: {{side: item, kind: categorical}}
  author_id: {{side: item, kind: categorical}}
  tag: {{side: item, kind: categorical}}
tasks:
  click: {_TASK.format("click")}
  long: {_TASK.format("long")}
  done: {_TASK.format("done")}
  like: {_TASK.format("like")}
  follow: {_TASK.format("follow")}
ranking_formula: {{weights: {{click: 1.0}}}}
"""
NOW_US = 1_700_000_000_000_000
_DAY_S, _EXACT_FOR_US = 86_400, 3_600_000_000
TASKS = 5
console = Console(highlight=False)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(help="Address of a Redis server that the benchmark may fill.")
    ] = None,
    candidates: Annotated[int, typer.Option(help="Candidates of a request.", min=1)] = 500,
    videos: Annotated[int, typer.Option(help="Videos with a history.", min=1)] = 100_000,
    users: Annotated[int, typer.Option(help="Users with a history.", min=1)] = 2_000,
    rounds: Annotated[int, typer.Option(help="Turns of each system.", min=1)] = 10,
    calls: Annotated[int, typer.Option(help="Requests a turn.", min=1)] = 30,
    rank: Annotated[bool, typer.Option(help="Whether `rank` itself takes part.")] = True,
) -> None:
    """Measure how long a store takes to answer, beside the ranking that it is for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    spec = parse_spec(SPEC)
    world = World(np.random.default_rng(0), users, videos)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        systems: dict[str, Callable[[], Any]] = {}
        stores: dict[str, KeyedHistoryStore] = {"LMDB": LmdbHistoryStore(folder / "lmdb", spec)}
        if redis is not None:
            stores["Redis"] = RedisHistoryStore(redis, spec, namespace="history_benchmark")
        for name, store in stores.items():
            stack.callback(store.close)
            console.print(f"Filling {name} …")
            store.replace(world.values(spec), NOW_US, videos)
            systems[f"histories from {name}"] = asking(store, world, candidates)
        if rank:
            console.print("Exporting the model …")
            systems["rank, in process"] = ranking(folder, candidates)
        figures = {
            "machine": machine(),
            "candidates": candidates,
            "ms": measured(systems, rounds, calls),
        }
    show(figures["ms"])
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1), encoding="utf-8")


class World:
    """Users and videos, some far more popular than others, and what is known of them."""

    def __init__(self, rng: np.random.Generator, users: int, videos: int) -> None:
        self._rng, self._users = rng, users
        self._popularity = 1.0 / np.arange(1, videos + 1) ** 0.8
        self._popularity /= self._popularity.sum()
        self._authors = max(videos // 5, 1)

    def candidates(self, number: int) -> list[dict[str, str]]:
        """Draw videos by popularity."""
        chosen = self._rng.choice(len(self._popularity), number, p=self._popularity)
        return [
            {"video_id": f"v{video}", "author_id": self.author(video), "tag": self.tag(video)}
            for video in chosen.tolist()
        ]

    def author(self, video: int) -> str:
        """Return the author of a video."""
        return f"a{video % self._authors}"

    def tag(self, video: int) -> str:
        """Return the tag of a video, of 50."""
        return f"t{video % 50}"

    def user(self) -> dict[str, str]:
        """Draw a user."""
        return {"user_id": f"u{self._rng.integers(self._users)}"}

    def values(self, spec: FeatureSpec) -> Iterator[tuple[bytes, bytes]]:
        """Yield the values of a store that has folded what became known before the last hour."""
        counts = {count.name: count for count in layout.stored_counts(spec)}
        videos = len(self._popularity)
        rows_of = np.maximum(self._popularity * videos * 4, 1).astype(int)
        for video, rows in enumerate(rows_of.tolist()):
            yield self._count(counts["video"], [f"v{video}"], rows)
        for author in range(self._authors):
            yield self._count(counts["author"], [f"a{author}"], int(rows_of[author]))
        (sequence,) = layout.stored_sequences(spec)
        for user in range(self._users):
            seen = self._rng.choice(videos, 100, p=self._popularity).tolist()
            for author in {self.author(video) for video in seen}:
                yield self._count(counts["user_author"], [f"u{user}", author], 1)
            for tag in {self.tag(video) for video in seen}:
                yield self._count(counts["user_tag"], [f"u{user}", tag], 2)
            entries = [
                Entry(
                    NOW_US - (position + 1) * 1_000_000_000,
                    NOW_US - (position + 1) * 1_000_000_000,
                    tuple(
                        text.encode() for text in (f"v{video}", self.author(video), self.tag(video))
                    ),
                )
                for position, video in enumerate(seen[:60])
            ]
            key = layout.key_of(sequence, {"user_id": f"u{user}".encode()})
            assert key is not None  # noqa: S101 (the user is there)
            yield layout.SEQUENCE + key, b"".join(map(sequence_entries.encoded, entries))

    def _count(
        self, count: layout.StoredCount, texts: list[str], number: int
    ) -> tuple[bytes, bytes]:
        rows = np.empty((number, 2 + TASKS), np.int64)
        seconds = self._rng.integers(0, 7 * _DAY_S, number)
        rows[:, 0] = NOW_US - seconds * 1_000_000
        rows[:, 1] = 1
        rows[:, 2:] = self._rng.integers(0, 2, (number, TASKS)) << 16
        if number > 2:  # folding two rows takes long and saves nothing
            rows = folded(rows, count.windows_s, NOW_US - _EXACT_FOR_US)
        key = history_key([text.encode() for text in texts])
        return layout.COUNT + bytes([count.number]) + key, count.codec.encoded(rows)


def asking(store: KeyedHistoryStore, world: World, candidates: int) -> Callable[[], Any]:
    """Return a call for the histories of a request, of another user and other videos each time."""
    requests = [(world.user(), world.candidates(candidates)) for _ in range(50)]
    turn = iter(range(10**9))

    def ask() -> Any:
        user, chosen = requests[next(turn) % len(requests)]
        return store.features(user, {}, chosen, NOW_US)

    return ask


def ranking(folder: Path, candidates: int) -> Callable[[], Any]:
    """Return a call of `rank` for as many candidates."""
    from benchmarks.serving import InProcess
    from benchmarks.serving_workload import export_models

    export_models(folder, [candidates], xla=True)
    rank = InProcess(folder).ranker(candidates)
    return lambda: rank(1)


def measured(
    systems: dict[str, Callable[[], Any]], rounds: int, calls: int
) -> dict[str, dict[str, float]]:
    """Return percentiles of the milliseconds of each system, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for call in systems.values():
        for _ in range(10):
            call()
    for _ in range(rounds):
        for name, call in systems.items():
            for _ in range(calls):
                begin = time.perf_counter()
                call()
                times[name].append((time.perf_counter() - begin) * 1000.0)
    return {
        name: {"p50": float(np.percentile(own, 50)), "p99": float(np.percentile(own, 99))}
        for name, own in times.items()
    }


def show(figures: dict[str, dict[str, float]]) -> None:
    """Print the figures and their ratios to `rank`."""
    own = figures.get("rank, in process")
    table = Table("", "p50 ms", "p99 ms", "p50 / rank's")
    for name, times in figures.items():
        ratio = f"{times['p50'] / own['p50']:.2f}" if own else "–"
        table.add_row(name, f"{times['p50']:.2f}", f"{times['p99']:.2f}", ratio)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
