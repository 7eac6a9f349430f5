"""Simulated short-video logs as files: side tables, days of logs, and the truth behind them."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.names import label_name, mask_name
from pipeline.simulator import malformed, population
from pipeline.simulator.best_metrics import TRUTH, WITHOUT_HISTORY, best_metrics
from pipeline.simulator.event_logs import (
    ACTION_FAULTS,
    IMPRESSION_FAULTS,
    action_columns,
    impression_columns,
    with_faults,
)
from pipeline.simulator.evolution import draw_states
from pipeline.simulator.exposures import (
    NETWORKS,
    Exposures,
    draw_exposures,
    no_recent_videos,
    recent_videos,
)
from pipeline.simulator.feedback import (
    VALID_VIEW_S,
    Feedback,
    draw_feedback,
    inclinations,
    mood_match,
    propensities,
    scores_without_history,
    true_scores,
)
from pipeline.simulator.population import Users, Videos, draw_users, draw_videos
from pipeline.simulator.simulation_config import SimulationSettings

Columns = dict[str, list[Any]]

# Level 6 takes twice the time for 5 % less.
_COMPRESSION_LEVEL = 3
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_MISSING_SHARE = {"network": 0.03, "duration_s": 0.01}


@dataclasses.dataclass(frozen=True)
class SimulationSummary:
    """The logs that a simulation wrote.

    Attributes:
        rows: exposures of all days.
        usable_rows: exposures whose lines are whole, or spoilt without harm.
        malformed: the number of spoilt lines by kind.
        best_metrics: the metrics that `best_metrics.best_metrics` returns.
    """

    rows: int
    usable_rows: int
    malformed: dict[str, int]
    best_metrics: dict[str, dict[str, float | None]]


def simulate_logs(
    settings: SimulationSettings, folder: Path, on_day: Callable[[], None] = lambda: None
) -> SimulationSummary:
    """Write logs, side tables and truth below `folder`; equal settings give equal bytes.

    Args:
        settings: the size and the seed.
        folder: an empty or new folder, or one that an earlier simulation of as many days wrote.
        on_day: called after each day.

    Raises:
        ValueError: the folder holds something else, which the pipeline might take for logs.
    """
    _refuse_strange_files(settings, folder)
    rng = np.random.default_rng(settings.seed)
    users, videos = draw_users(settings, rng), draw_videos(settings, rng)
    _write_lines(folder / "users.jsonl.gz", _json_lines(_user_columns(users, rng)))
    _write_lines(folder / "videos.jsonl.gz", _json_lines(_video_columns(videos, rng)))

    watched_before = no_recent_videos(settings.users)
    states = draw_states(settings, rng)
    spoilt_kinds: Counter[str] = Counter()
    usable_rows = 0
    for day, state in zip(settings.dates, states, strict=False):
        exposures = draw_exposures(users, videos, settings.rows_per_day, rng)
        user, video, context = exposures.user, exposures.video, exposures.context
        fixed = inclinations(users, videos, user, video, context)
        match = mood_match(state.moods[user], videos, video)
        true = propensities(fixed, match, state.trends[video])
        duration_s = videos.duration_s[video]
        feedback = draw_feedback(true, duration_s, context, rng)
        watched = feedback.play_s >= VALID_VIEW_S
        recent, watched_before = recent_videos(
            watched_before, exposures.request_user, exposures.request[watched], video[watched]
        )

        columns = _log_columns(day, exposures, recent, feedback, duration_s)
        for name, share in _MISSING_SHARE.items():
            columns[name] = _some_missing(columns[name], share, rng)
        usable = np.ones(settings.rows_per_day, dtype=bool)
        if settings.event_logs:
            spoilt_kinds.update(
                _write_events(columns, settings, folder, f"day={day}/part-00000.jsonl.gz", rng)
            )
        else:
            lines = list(_json_lines(columns))
            spoilt = malformed.spoil_lines(lines, settings.malformed_share, rng)
            _write_lines(folder / f"day={day}" / "part-00000.jsonl.gz", lines)
            usable[
                [
                    position
                    for position, kind in spoilt.items()
                    if kind not in malformed.USABLE_KINDS
                ]
            ] = False
            spoilt_kinds.update(spoilt.values())

        scores = true_scores(true, duration_s, context)
        for task, score in scores_without_history(fixed, duration_s, context).items():
            scores[task + WITHOUT_HISTORY] = score
        truth = _truth(columns, scores)
        _write_bytes(
            folder / TRUTH / f"day={day}.parquet", _parquet(truth.filter(pa.array(usable)))
        )
        usable_rows += int(usable.sum())
        on_day()

    best = best_metrics(folder)
    _write_bytes(folder / TRUTH / "best_metrics.json", json.dumps(best, indent=2).encode())
    return SimulationSummary(
        rows=settings.days * settings.rows_per_day,
        usable_rows=usable_rows,
        malformed=dict(spoilt_kinds),
        best_metrics=best,
    )


def _write_events(
    columns: Columns,
    settings: SimulationSettings,
    folder: Path,
    name: str,
    rng: np.random.Generator,
) -> list[str]:
    """Write the impressions and actions of a day; return kinds of spoilt lines (`action_…`)."""
    impressions, shown = with_faults(
        list(_json_lines(impression_columns(columns))),
        settings.malformed_share,
        IMPRESSION_FAULTS,
        rng,
    )
    actions, done = with_faults(
        list(_json_lines(action_columns(columns))), settings.malformed_share, ACTION_FAULTS, rng
    )
    _write_lines(folder / "impressions" / name, impressions)
    _write_lines(folder / "actions" / name, actions)
    return [*shown, *(f"action_{kind}" for kind in done)]


def _refuse_strange_files(settings: SimulationSettings, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a new or an empty folder")
    logs = (
        {"impressions", "actions"}
        if settings.event_logs
        else {f"day={day}" for day in settings.dates}
    )
    own = {"users.jsonl.gz", "videos.jsonl.gz", TRUTH, *logs}
    strange = sorted(path.name for path in folder.glob("*") if path.name not in own)
    if strange:
        raise ValueError(
            f"{folder} holds what this simulation would not write: "
            f"{', '.join(strange[:5])}{' …' * (len(strange) > 5)}; "
            "give a new or an empty folder"
        )


def _user_columns(users: Users, rng: np.random.Generator) -> Columns:
    return {
        "user_id": [f"u{number}" for number in range(len(users.activity))],
        "age_group": _some_missing(population.AGE_GROUPS[users.age_group].tolist(), 0.05, rng),
        "region": population.REGIONS[users.region].tolist(),
        "device": _some_missing(population.DEVICES[users.device].tolist(), 0.02, rng),
        "activity": users.activity.tolist(),
    }


def _video_columns(videos: Videos, rng: np.random.Generator) -> Columns:
    return {
        "video_id": [f"v{number}" for number in range(len(videos.category))],
        "author_id": [f"a{number}" for number in videos.author.tolist()],
        "category": _some_missing(population.CATEGORIES[videos.category].tolist(), 0.02, rng),
        "tags": [[f"t{tag}" for tag in tags if tag >= 0] or None for tags in videos.tags.tolist()],
        "age_days": _some_missing(videos.age_days.tolist(), 0.03, rng),
    }


def _log_columns(
    day: datetime.date,
    exposures: Exposures,
    recent: np.ndarray,
    feedback: Feedback,
    duration_s: np.ndarray,
) -> Columns:
    midnight_s = int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp())
    recent_of_request = [
        [f"v{video}" for video in videos if video >= 0] or None for videos in recent.tolist()
    ]
    return {
        "request_id": [f"{day:%Y%m%d}-{request}" for request in exposures.request.tolist()],
        "user_id": [f"u{user}" for user in exposures.user.tolist()],
        "video_id": [f"v{video}" for video in exposures.video.tolist()],
        "time_ms": ((midnight_s + exposures.second) * 1000).tolist(),
        "scenario": np.where(exposures.context.clickable, "click", "auto_play").tolist(),
        "hour": exposures.hour.tolist(),
        "network": NETWORKS[exposures.network].tolist(),
        "recent_videos": [recent_of_request[request] for request in exposures.request.tolist()],
        "duration_s": duration_s.tolist(),
        "clicked": feedback.clicked.tolist(),
        "played": feedback.played.tolist(),
        "play_s": feedback.play_s.tolist(),
        "shared": feedback.shared.tolist(),
        "commented": feedback.commented.tolist(),
    }


def _some_missing(values: list[Any], share: float, rng: np.random.Generator) -> list[Any]:
    missing = rng.random(len(values)) < share
    return [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]


def _truth(columns: Columns, scores: dict[str, np.ndarray]) -> pa.Table:
    """Return the true scores, the label and the mask of each task, by request and video."""
    play_s = np.array(columns["play_s"])
    duration_s = np.array(columns["duration_s"], dtype=float)  # None becomes NaN
    everywhere, known = np.ones(len(play_s)), np.isfinite(duration_s)
    ratio = np.divide(play_s, duration_s, out=np.zeros(len(play_s)), where=known)
    played = np.array(columns["played"])
    clickable = np.array(columns["scenario"]) == "click"
    labels_and_masks = {
        "vtr": (play_s >= VALID_VIEW_S, everywhere),
        "vcr": (np.minimum(ratio, 1.0), known),
        "shr": (columns["shared"], played),
        "cmr": (columns["commented"], played),
        "ctr": (columns["clicked"], clickable),
    }
    table: dict[str, Any] = {
        "request_id": columns["request_id"],
        "video_id": columns["video_id"],
        **scores,
    }
    for task, (label, mask) in labels_and_masks.items():
        table[label_name(task)] = np.asarray(label, dtype=np.float32)
        table[mask_name(task)] = np.asarray(mask, dtype=np.float32)
    return pa.table(table)


def _json_lines(columns: dict[str, list[Any]]) -> Iterator[bytes]:
    """Yield one JSON line a row, without line end; the key of a None is left out."""
    names = list(columns)
    for row in zip(*columns.values(), strict=True):
        yield _ENCODE(
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
        ).encode()


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write gzipped lines, without the time of writing, so equal lines give equal bytes."""
    _write_bytes(
        path, gzip.compress(b"".join(line + b"\n" for line in lines), _COMPRESSION_LEVEL, mtime=0)
    )


def _write_bytes(path: Path, content: bytes) -> None:
    """Write a file at once.

    A file that holds the same bytes is left alone, so that a pipeline's cache stays valid.
    """
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
