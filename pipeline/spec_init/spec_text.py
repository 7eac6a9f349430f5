"""The YAML of a proposed spec, with what was seen and what is left to decide in its remarks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from feature_spec.logs.source import UTF_8, Source
from pipeline.spec_init.proposal import NamedField, Proposal
from pipeline.spec_init.seen_columns import SeenColumn, SeenSource
from pipeline.spec_init.words import TITLES, has_word
from pipeline.spec_init.yaml_lines import examples, flow, remark, shown

_DAY_S = 86_400
_SMALL_LOG = 10_000
_STEPS_OF_EPOCH = 20


def spec_text(proposal: Proposal, name: str, file: str, folder: str) -> str:
    """Return the YAML.

    Args:
        proposal: what to write.
        name: the name of the spec.
        file: the file that it is written to, for its first lines.
        folder: the folder that its paths are relative to.
    """
    log = proposal.log
    seen = "all" if log.is_whole else f"a sample of {log.lines:,}"
    about = "" if log.is_whole else "about "
    lines = [
        f'# Proposed from {seen} of {about}{log.about_lines:,} lines. "decide" marks what only '
        "you can know.",
        f"#   fulcrum spec check {shown(file)} --logs {shown(folder)}",
        f"#   fulcrum run --spec {shown(file)} --logs {shown(folder)} --root runs/{name}",
        f"name: {flow(name)}",
        *_keys(proposal),
        *_logs(proposal),
        f"split: {flow(proposal.split)}{remark(proposal.split_remark)}",
        "",
        *_fields(proposal),
        "",
        *_tasks(proposal),
        "",
        *_formula(proposal),
        *_settings(proposal),
    ]
    return "\n".join(lines) + "\n"


def _keys(proposal: Proposal) -> Iterator[str]:
    roles, columns = proposal.roles, proposal.log.columns
    named = {"request": roles.request, "user": roles.user, "item": roles.item}
    given = {key: column for key, column in named.items() if column is not None}
    if not given and roles.time is None:
        yield "# decide: keys, if there are columns of the user, the item, the request or the time"
        return
    yield "keys:"
    for key, column in given.items():
        decide = "" if columns[column].is_given else "decide: told by the values only"
        yield f"  {key}: {flow(column)}{remark(_seen(columns[column]), decide)}"
    if roles.time is not None:
        setting = {"column": roles.time.column, "unit": roles.time.unit, "timezone": "UTC"}
        first, last = min(proposal.days), max(proposal.days)
        yield (
            f"  event_time: {flow(setting)}"
            f"{remark(f'{first} to {last}', 'decide: the time zone in which days begin')}"
        )


def _logs(proposal: Proposal) -> Iterator[str]:
    log = proposal.log
    yield "logs:"
    if not proposal.actions:
        yield from _source("exposures", log.source, 2)
    else:
        yield from _event_logs(proposal)
    if proposal.tables:
        yield "  tables:"
        for name, table in proposal.tables.items():
            keys = {"key": table.key}
            if table.key != table.exposure_key:
                keys["exposure_key"] = table.exposure_key
            if table.exposure_key == proposal.roles.item:
                keys |= _display(table.seen, proposal.left_out[name])
            note = f"has the key of {table.matched:.1%} of the lines"
            yield from _source(name, table.seen.source, 4, keys, note)
    missing = {text for seen in _sources(proposal) for text in seen.missing_texts}
    if missing:
        yield f"  missing_values: {flow(['', *sorted(missing)])}"


def _display(items: SeenSource, left_out: Collection[str]) -> dict[str, str]:
    """Return the setting of a column with items' titles that is no field, if there is one."""
    for name in left_out:
        if has_word(name, TITLES) and items.columns[name].counts:
            return {"display": name}
    return {}


def _sources(proposal: Proposal) -> list[SeenSource]:
    return [proposal.log, *(table.seen for table in proposal.tables.values())]


def _source(
    name: str, source: Source, indent: int, more: dict[str, Any] | None = None, note: str = ""
) -> Iterator[str]:
    path = source.path[0] if len(source.path) == 1 else source.path
    settings: dict[str, Any] = {"path": path, "format": source.format}
    if source.delimiter != ",":
        settings["delimiter"] = source.delimiter
    if source.encoding != UTF_8:
        settings["encoding"] = source.encoding
    settings |= more or {}
    space = " " * indent
    yield f"{space}{flow(name)}:{remark(note)}"
    for key, value in settings.items():
        yield f"{space}  {key}: {flow(value)}"
    if source.columns is not None:
        decide = remark("no header; decide: names of the columns")
        yield f"{space}  columns: {flow(source.columns)}{decide}"


def _event_logs(proposal: Proposal) -> Iterator[str]:
    log, roles = proposal.log, proposal.roles
    assert roles.behavior is not None  # noqa: S101 (these are event logs)
    kinds = log.columns[roles.behavior].counts
    yield from _source("impressions", log.source, 2, {"where": {roles.behavior: [roles.shown]}})
    actions = list(proposal.actions.values())
    others = [kind for kind in kinds if kind not in actions and kind != roles.shown]
    more = {
        "where": {roles.behavior: actions},
        "kind": roles.behavior,
        "event_time": roles.time.model_dump() if roles.time else {},
        "join_by": "user" if roles.request is None else "request",
        "window_s": _DAY_S,
        "folds": {
            column: {"action": kind, "fold": "any"} for column, kind in proposal.actions.items()
        },
    }
    shares = ", ".join(
        f"{shown(kind, 20)} {count / kinds.total():.1%}" for kind, count in kinds.most_common()
    )
    left = f"not used: {', '.join(others)}" if others else ""
    yield from _source(
        "actions",
        log.source,
        2,
        more,
        f"{shares}; {left and left + '; '}decide: window_s, how long after it an impression counts",
    )
    yield (
        "  max_rejected_share_of: {orphan_action: 1.0, late_action: 1.0}"
        "  # actions without an impression before them are no labels"
    )


def _fields(proposal: Proposal) -> Iterator[str]:
    yield "fields:"
    for field in proposal.fields:
        yield f"  {flow(field.name)}: {flow(_settings_of(field))}{remark(*_remarks(field))}"
    for source, columns in proposal.left_out.items():
        of_source = f"{source}: " if source is not None else ""
        for column, reason in columns.items():
            if reason != "a key":
                yield f"  # left out: {of_source}{shown(column, 60)}: {shown(reason, 80)}"


def _settings_of(field: NamedField) -> dict[str, Any]:
    settings: dict[str, Any] = {"side": field.side, "kind": field.field.kind}
    if field.column is not None and field.column.name != field.name:
        settings["column"] = field.column.name
    if field.table is not None:
        settings["table"] = field.table
    return settings | field.field.settings


def _remarks(field: NamedField) -> Iterator[str]:
    if field.column is not None:
        yield _seen(field.column)
    if field.decide:
        yield f"decide: {field.decide}"


def _seen(column: SeenColumn) -> str:
    """Return what was seen of a column: values or range, the share missing, examples."""
    missing = f"{column.missing_share:.1%} missing" if column.missing_share else ""
    values = f"{len(column.counts):,} values"
    if column.numbers is not None and len(column.counts) > 2:
        values += f" from {min(column.numbers):g} to {max(column.numbers):g}"
    some = examples([value for value, _ in column.counts.most_common(3)])
    return ", ".join(part for part in (values, missing) if part) + (f": {some}" if some else "")


def _tasks(proposal: Proposal) -> Iterator[str]:
    yield "tasks:"
    for task in proposal.tasks:
        settings: dict[str, Any] = {"kind": task.kind, "label": task.label}
        settings["metric"] = "auc" if task.kind == "binary" else "mse"
        decide = f"decide: {task.decide}" if task.decide else ""
        yield f"  {flow(task.name)}: {flow(settings)}{remark(task.seen, decide)}"


def _formula(proposal: Proposal) -> Iterator[str]:
    weights = {task.name: task.weight for task in proposal.tasks}
    yield "ranking_formula:"
    yield f"  weights: {flow(weights)}  # decide: what each task is worth"


def _settings(proposal: Proposal) -> Iterator[str]:
    gains = {task.name: 1.0 for task in proposal.tasks if task.weight > 0}
    by = "user" if proposal.roles.user else "request" if proposal.roles.request else None
    if by is not None and gains:
        yield f"evaluation: {{ndcg: {{k: 10, by: {by}, relevance: {flow(gains)}}}}}"
    about = proposal.log.about_lines
    if about < _SMALL_LOG:
        size = 16
        while size * 2 * _STEPS_OF_EPOCH <= about:
            size *= 2
        yield f"trainer: {{batch_size: {size}}}  # of {about:,} lines"
    if proposal.tables:
        yield (
            "serving: {export_tables: true}"
            "  # requests name users and items; the tables travel with the model"
        )
    yield from _histories(proposal)


def _histories(proposal: Proposal) -> Iterator[str]:
    """Yield histories behind remarks, since only the user knows when feedback is known."""
    roles = proposal.roles
    names = {
        field.column.name: field.name
        for field in proposal.fields
        if field.column is not None and field.table is None and field.field.kind == "categorical"
    }
    if roles.time is None or not {roles.user, roles.item} <= names.keys():
        return
    user, item = names[roles.user or ""], names[roles.item or ""]
    counts = {"of_user": {"by": [user]}, "of_item": {"by": [item]}}
    for field in proposal.fields:
        if field.side == "item" and field.name != item and field.name in names.values():
            counts[f"of_user_{field.name}"] = {"by": [user, field.name]}
            break
    yield "# decide: histories, what users and items did before, and when feedback is known"
    yield "# histories:"
    yield "#   known_after_s: 600"
    yield f"#   counts: {flow(counts)}"
