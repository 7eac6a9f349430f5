"""`fulcrum histories`: a history store filled from a state, asked, and fed with events."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving.commands.connection_options import fail, time_of
from serving.commands.follow_histories import follow
from serving.commands.history_options import (
    AsJson,
    Spec,
    Store,
    failures,
    loaded_spec,
    opened_store,
)

if TYPE_CHECKING:
    from feature_spec.logs.log_values import UnusableLineError
    from feature_spec.spec import FeatureSpec
    from serving.histories.history_event import HistoryEvent, Kind
    from serving.histories.inspecting import Inspection
    from serving.histories.store import RecordCounts

histories_app = typer.Typer(
    help="Keep what users did before in a history store: publish, inspect, record and follow.",
    no_args_is_help=True,
)

Actions = Annotated[
    list[str] | None,
    typer.Option(
        help="Lines of the log of actions, of event logs, likewise. Repeatable.",
        show_default=False,
    ),
]


@histories_app.command("publish")
def publish(
    *,
    state: Annotated[
        Path,
        typer.Option(
            help="A state of histories: the folder of a model, of its versions or of the state; or "
            "a pipeline root, of which the newest model's counts.",
            exists=True,
            file_okay=False,
        ),
    ],
    spec: Spec,
    store: Store,
    json: AsJson = False,
) -> None:
    """Fill a store with the state that an ingestion ended with, and keep the events after it.

    Requests see the old state until the new one is complete. Events that the store was given before
    count beside the state if they are later than it. A state of another spec is refused.

    Example: fulcrum histories publish --state run --spec short_video --store histories
    """
    from json import dumps

    from serving.histories.publishing import publish as publish_state
    from serving.histories.publishing import state_folder

    with opened_store(store, spec) as opened:
        folder = state_folder(state)
        published, later = publish_state(opened, folder)
    result = {
        "state": str(folder),
        "exposures": published.exposures,
        "until": _time_text(published.until_us),
        "later_events": later.recorded,
    }
    if json:
        typer.echo(dumps(result, indent=2))
        return
    Console(soft_wrap=True).print(
        f"Published {published.exposures:,} exposures until {result['until']} from {folder}; "
        f"{later.recorded:,} later events of the store count beside them",
        highlight=False,
    )


@histories_app.command("inspect")
def inspect(
    *,
    spec: Spec,
    store: Store,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="A value of a field, as name=value, such as user_id=u1. Repeatable. Histories are "
            "shown whose keys are given."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The time as of which to ask, such as 2026-11-30T12:00:00+08:00 (UTC without a "
            "zone).",
            show_default="now",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show what a store knows: counts, rates, sequences, and how fresh they are.

    Example: fulcrum histories inspect --spec short_video --store histories --field user_id=u1
    """
    import dataclasses
    from json import dumps

    from serving.histories.inspecting import inspect_store

    values, at_us = dict(_name_and_value(text) for text in field or []), _at_us(at)
    with opened_store(store, spec, readonly=True) as opened:
        found = inspect_store(opened, values, at_us)
    if json:
        typer.echo(dumps({**dataclasses.asdict(found), "age_s": found.age_s}, indent=2))
        return
    _print_inspection(found)


@histories_app.command("record")
def record(
    *,
    events: Annotated[
        list[str],
        typer.Option(
            help="Events as JSON lines or, by the name, CSV; .gz and .bz2 are unpacked; - is the "
            "standard input. Repeatable."
        ),
    ],
    actions: Actions = None,
    spec: Spec,
    store: Store,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the logs, whose side tables (JSON lines or CSV) are joined.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Then fold old events, and forget what has left every window."
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Add events to a store; one with a known id counts once, so all can be recorded again.

    A line is {"event_id": "e1", "columns": {…}, "fields": {…}}, where the columns are those of the
    log and the fields those of side tables; or it is the line of the log itself. Of event logs,
    "kind" says impression or action.

    Example: fulcrum histories record --events day.jsonl --spec short_video --store histories
    """
    from json import dumps

    from feature_spec.logs.log_values import UnusableLineError
    from serving.histories.event_files import SideTables
    from serving.histories.store import RecordCounts

    counts = RecordCounts()
    with opened_store(store, spec) as opened:
        tables = SideTables(opened.spec, logs) if logs is not None else None

        def usable() -> Iterator[HistoryEvent]:
            for event in _lines(opened.spec, events, actions, counts):
                if isinstance(event, UnusableLineError):
                    counts.reject(event)
                else:
                    yield tables.joined(event) if tables is not None else event

        counts.add(opened.record_all(usable()))
        if compact:
            opened.compact()
    rejected = {str(reason): number for reason, number in counts.rejected.most_common()}
    if json:
        numbers = {"in": counts.all, "recorded": counts.recorded, "repeated": counts.repeated}
        numbers |= {"filtered": counts.filtered} if counts.filtered else {}
        typer.echo(dumps({**numbers, "rejected": rejected}, indent=2))
        return
    typer.echo(
        f"{counts.all:,} events in = {counts.recorded:,} recorded + {counts.repeated:,} repeated + "
        f"{counts.rejected.total():,} rejected"
        + (f" + {counts.filtered:,} left out by 'where'" if counts.filtered else "")
    )
    to_stderr = Console(stderr=True, soft_wrap=True, highlight=False)
    for reason, number in rejected.items():
        to_stderr.print(f"rejected, {reason}: {number:,}", style="yellow")
    for detail in counts.details:
        to_stderr.print(f"  {detail}", markup=False)


@histories_app.command("replay")
def replay(
    *,
    events: Annotated[
        list[str],
        typer.Option(help="The whole log as JSON lines or CSV, as for `record`. Repeatable."),
    ],
    actions: Actions = None,
    examples: Annotated[
        Path,
        typer.Option(
            help="A folder with the examples that ingestion made of the log's last days, such as "
            "Split-eval.",
            exists=True,
            file_okay=False,
        ),
    ],
    spec: Spec,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the logs, whose side tables are joined.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Send a log once more through a new store, and compare its fields with the examples'.

    Each exposure of the examples is asked for at its time, when the store knows what came before.
    Exit status 1: a field of an exposure differs in a bit, or an exposure is not in the log.

    Example: fulcrum histories replay --events logs/day.jsonl --logs logs --spec short_video
    --examples run/artifacts/LogsExampleGen/examples/1/Split-eval
    """
    import tempfile
    from json import dumps

    from feature_spec.logs.log_values import UnusableLineError
    from serving.histories.event_files import SideTables
    from serving.histories.lmdb_store import LmdbHistoryStore
    from serving.histories.replay import example_files, fields_of_examples
    from serving.histories.replay import replay as replay_log
    from serving.histories.store import RecordCounts

    loaded = loaded_spec(spec)
    with failures(), tempfile.TemporaryDirectory() as folder:
        opened = LmdbHistoryStore(Path(folder), loaded, exact_for_s=None)
        tables = SideTables(loaded, logs) if logs is not None else None
        read = _lines(loaded, events, actions, RecordCounts())
        usable = (event for event in read if not isinstance(event, UnusableLineError))
        joined = (tables.joined(event) if tables is not None else event for event in usable)
        found = replay_log(opened, joined, fields_of_examples(loaded, example_files(examples)))
        opened.close()
    if json:
        numbers = {"examples": found.examples, "compared": found.compared, "equal": found.equal}
        numbers |= {"recorded": found.recorded.recorded}
        typer.echo(
            dumps({**numbers, "fields": found.fields, "differences": found.differences}, indent=2)
        )
    else:
        typer.echo(
            f"{found.examples:,} examples: {found.compared:,} found in the log, {found.equal:,} "
            "equal in every bit of every field of histories"
        )
        for difference in found.differences:
            typer.echo(difference)
    if not found.agrees:
        raise typer.Exit(1)


histories_app.command("follow")(follow)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(histories_app, name="histories")


def _lines(
    spec: FeatureSpec, shown: list[str], actions: list[str] | None, counts: RecordCounts
) -> Iterator[HistoryEvent | UnusableLineError]:
    """Yield the events of files of exposures or impressions, then those of actions.

    Lines that `where` of the spec leaves out are added to `counts`.
    """
    from feature_spec.logs.log_values import UnusableLineError
    from serving.histories.event_files import keeps, read_events

    logs = spec.logs
    files: list[tuple[str, Kind | None]] = [(file, None) for file in shown]
    files += [(file, "action") for file in actions or []]
    for file, kind in files:
        of_file = (logs.actions if kind == "action" else None) or logs.shown
        for event in read_events(file, logs.max_line_bytes, kind, of_file):
            if isinstance(event, UnusableLineError):
                yield event
                continue
            source = (logs.actions if event.kind == "action" else None) or logs.shown
            try:
                if keeps(source, event.columns, logs.missing_values):
                    yield event
                else:
                    counts.filtered += 1
            except UnusableLineError as error:
                yield error


def _name_and_value(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        fail(f"--field {text}: give a field and its value, such as --field user_id=u1")
    return name, value


def _at_us(at: str | None) -> int:
    return round((time.time() if at is None else time_of("--at", at).timestamp()) * 1e6)


def _time_text(time_us: int) -> str:
    return datetime.datetime.fromtimestamp(time_us / 1e6, datetime.UTC).isoformat(" ", "seconds")


def _print_inspection(found: Inspection) -> None:
    from rich.table import Table

    from serving.histories.inspecting import parts_shown

    console = Console()
    console.print(f"{found.place} as of {_time_text(found.at_us)}", highlight=False)
    if found.until_us is not None:
        console.print(
            f"published: {found.exposures:,} exposures until {_time_text(found.until_us)}",
            highlight=False,
        )
    age_s = found.age_s
    newest = "none" if age_s is None else f"{_time_text(found.newest_us)}, {age_s:,.0f} s before"
    console.print(f"newest event: {newest}", highlight=False)
    if found.counts:
        table = Table("count", "key", "shown", "sums", "rates")
        for count in found.counts:
            sums = ", ".join(f"{task} {number:g}" for task, number in count.sums.items())
            rates = ", ".join(
                f"{task} {'–' if rate is None else format(rate, '.4f')}"
                for task, rate in count.rates.items()
            )
            table.add_row(count.name, count.key, f"{count.shown:,.0f}", sums, rates)
        console.print(table)
    for sequence in found.sequences:
        parts = list(sequence.entries[0]) if sequence.entries else []
        table = Table(*parts, title=f"{sequence.name}: {sequence.key}, newest first")
        for entry in sequence.entries:
            table.add_row(*parts_shown(entry).values())
        console.print(table if sequence.entries else f"{sequence.name}: {sequence.key}: empty")
