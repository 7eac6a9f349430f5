"""Tables of a look at logs, for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from feature_spec.logs.logs import ACTIONS
from feature_spec.names import SPLITS
from feature_spec.spec import FeatureSpec
from pipeline.ingest.accounting.limits import SourceLines
from pipeline.ingest.accounting.summary import TaskCounts
from pipeline.log_look.findings import examples_of
from pipeline.log_look.log_look import LogLook
from pipeline.log_look.vocabularies import embedding_tables

_MB = 1e6
# Fields with fewer values are not worth a line.
_LARGE_VOCABULARY = 100
_MOST_FIELDS = 15


def print_look(look: LogLook, spec: FeatureSpec, console: Console) -> None:
    """Print sources, rejected lines, tasks by split, matches of keys, and vocabularies."""
    console.print(_sources(look))
    summary = look.summary
    if summary.rejected:
        text = f"lines that would be rejected: {_reasons(summary.by_source[None])}"
        text += examples_of(look.rejected)
        console.print(text, markup=False, soft_wrap=True)
    if summary.actions is not None and summary.actions.rejected:
        text = _reasons(summary.by_source[ACTIONS])
        console.print(f"lines of actions that would be rejected: {text}", soft_wrap=True)
    if look.has_labels:
        table = _tasks(look)
        if not look.is_whole and spec.split.evaluation_days is not None:
            table.caption = "The days that judge are the last of those that were read."
        console.print(table)
    elif spec.logs.actions is not None:
        console.print("labels are not told: event logs are joined only where all lines are read")
    if look.vocabularies:
        console.print(_vocabularies(look, spec))
        tables = embedding_tables(spec, look.vocabularies)
        about = "" if look.is_whole else "about "
        console.print(
            "embedding tables: "
            + ", ".join(f"{about}{table.rows:,} rows × {table.width}" for table in tables)
            + f": {sum(table.bytes_in_training for table in tables) / _MB:,.1f} MB in training"
        )


def _reasons(counted: SourceLines) -> str:
    return ", ".join(
        f"{reason} {count:,} ({count / max(counted.kept, 1):.2%})"
        for reason, count in sorted(counted.rejected.items(), key=lambda item: -item[1])
    )


def _sources(look: LogLook) -> Table:
    table = Table("source", "files", "lines", "read", "keys in the log", box=box.SIMPLE)
    for name, source in look.sources.items():
        match = look.matches.get(name or "")
        found = ""
        if match is not None and match.rows:
            found = f"{match.matched / match.rows:.1%} of {match.key} found"
            found += "" if source.is_whole else " in what was read"
        table.add_row(
            source.place,
            source.text,
            f"{source.lines:,}" if source.is_whole else f"about {source.about_lines:,}",
            "all" if source.is_whole else f"{source.lines:,}",
            found,
        )
    return table


def _tasks(look: LogLook) -> Table:
    table = Table("task", *SPLITS, box=box.SIMPLE)
    factor = 1.0 if look.is_whole else look.factor
    about = "" if look.is_whole else "about "
    examples = (f"{about}{look.summary.examples[split] * factor:,.0f}" for split in SPLITS)
    table.add_row("[dim]examples[/]", *examples)
    for name, splits in look.summary.tasks.items():
        table.add_row(name, *(_label_text(splits[split], factor) for split in SPLITS))
    return table


def _label_text(counts: TaskCounts, factor: float) -> str:
    if not counts.examples:
        return "none"
    of_space = f"of {counts.examples * factor:,.0f}"
    if counts.positives is None:
        return f"mean {counts.label_mean:.4g} {of_space}"
    share = counts.positives / counts.examples
    return f"{counts.positives * factor:,.0f} positives {of_space} ({share:.1%})"


def _vocabularies(look: LogLook, spec: FeatureSpec) -> Table:
    table = Table("field", "present", "values", "rows of their own", box=box.SIMPLE)
    about = "" if look.is_whole else "about "
    largest = sorted(look.vocabularies.items(), key=lambda item: -item[1].values)
    shown = [(name, size) for name, size in largest if size.values >= _LARGE_VOCABULARY]
    for name, size in (shown or largest)[:_MOST_FIELDS]:
        rows = (
            f"{about}{size.kept:,} (count ≥ {size.min_count})"
            if size.min_count is not None
            else f"{getattr(spec.fields[name], 'hash_buckets', 0):,} hashed"
        )
        table.add_row(name, f"{size.presence:.1%}", f"{about}{size.values:,}", rows)
    others = len(largest) - len((shown or largest)[:_MOST_FIELDS])
    if others:
        table.caption = f"{others} more fields with fewer values"
    return table
