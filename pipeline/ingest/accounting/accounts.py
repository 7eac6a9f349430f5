"""The account of every line of every source in words: what was read is what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.ingest.accounting.summary import ActionCounts, IngestSummary, TableCounts


def reasons_text(rejected: Mapping[str, int]) -> str:
    """Return rejected lines by reason, the most frequent first: ``8 (late_action 5, …)``."""
    by_count = sorted(rejected.items(), key=lambda item: -item[1])
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in by_count)
    return f"{sum(rejected.values()):,} rejected" + (f" ({reasons})" if reasons else "")


def log_account(ingestion: IngestSummary) -> str:
    """Return the account of the log of exposures or impressions."""
    splits = ", ".join(f"{split} {count:,}" for split, count in ingestion.examples.items())
    examples = f"{sum(ingestion.examples.values()):,} examples ({splits})"
    parts = [examples, reasons_text(ingestion.rejected), *rest_of(ingestion)]
    return _sum(f"{ingestion.lines:,} lines", parts)


def rest_of(ingestion: IngestSummary) -> list[str]:
    """Return the lines of the log that are neither examples nor rejected, in words."""
    counts = {
        "negatives sampled out": ingestion.totals["sampled_out"],
        "of the warm-up of histories": ingestion.totals.get("warm_up", 0),
        "left out by 'where'": ingestion.filtered,
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]


def other_accounts(ingestion: IngestSummary) -> list[str]:
    """Return the accounts of the log of actions and of side tables, one each."""
    accounts = [_of_actions(ingestion.actions)] if ingestion.actions is not None else []
    return accounts + [_of_table(name, table) for name, table in ingestion.tables.items()]


def _of_actions(actions: ActionCounts) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in actions.joined.items())
    joined = sum(actions.joined.values())
    of_other_days = sum(step.of_other_days for step in actions.steps.values())
    return _sum(
        f"actions: {actions.lines + actions.lines_of_other_days:,} lines",
        [
            f"{joined:,} joined" + (f" ({kinds})" if kinds else ""),
            reasons_text(actions.rejected),
            *([f"{of_other_days:,} of other days"] if of_other_days else []),
            *([f"{actions.filtered:,} left out by 'where'"] if actions.filtered else []),
        ],
    )


def _of_table(name: str, table: TableCounts) -> str:
    text = _sum(
        f"side table {name}: {table.lines:,} lines",
        [
            f"{table.rows:,} rows",
            *([f"{table.repeated_keys:,} of a repeated key"] if table.repeated_keys else []),
            reasons_text(table.rejected),
            *([f"{table.filtered:,} left out by 'where'"] if table.filtered else []),
        ],
    )
    without = table.examples_without_row
    return text + (f"; {without:,} examples have no row in it" if without else "")


def _sum(lines: str, parts: list[str]) -> str:
    return f"{lines} = {' + '.join(parts)}"
