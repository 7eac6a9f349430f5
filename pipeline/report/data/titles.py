"""Titles of the values that a report names, from the side tables that a run exports."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable

from feature_spec.artifacts.inspection import ModelInsight
from feature_spec.names import INGESTED_TABLES
from pipeline.evaluate.evaluation_result import EvaluationResult
from pipeline.workspace.artifact_files import matching_files, read_bytes

# Titles by value, by field.
Titles = dict[str, dict[str, str]]

_LONGEST = 60


def read_titles(
    examples: str, evaluation: EvaluationResult | None, insight: ModelInsight | None
) -> Titles:
    """Return the titles of the slices, and of the entries that candidates attend to.

    Args:
        examples: the folder or URI of an Examples artifact. It has the rows of side tables if the
            spec sets `serving.export_tables`, with titles if a table has a column `display`.
        evaluation: the evaluation of the run, whose slices the report names.
        insight: the look into the model, whose examples the report shows.
    """
    named = _named(evaluation, insight)
    result: Titles = {}
    for file in matching_files(f"{examples}/{INGESTED_TABLES}", "*.jsonl.gz") if named else []:
        with gzip.open(io.BytesIO(read_bytes(file)), "rt", encoding="utf-8") as lines:
            field = json.loads(next(lines))["key_field"]
            if field in named:
                result.setdefault(field, {}).update(_titles(lines, named[field]))
    return result


def with_title(titles: Titles, field: str, value: str) -> str:
    """Return a value with its title, if it has one: ``v12 (Alphaville)``."""
    title = titles.get(field, {}).get(value)
    return value if title is None else f"{value} ({title})"


def _named(
    evaluation: EvaluationResult | None, insight: ModelInsight | None
) -> dict[str, set[str]]:
    """Return the values by field that the report names."""
    result: dict[str, set[str]] = {}
    if evaluation is not None:
        parts = [part for verdict in evaluation.tasks for part in verdict.slices]
        for part in (*parts, *evaluation.ranking):
            result.setdefault(part.field, set()).add(part.value)
    for history in insight.inspection.histories if insight is not None else []:
        for example in history.examples:
            for field, value in example.candidate.items():
                result.setdefault(field, set()).add(value)
            for entry in example.entries:
                # The lists that share a field come first.
                for alike, value in zip(history.alike, entry.values.values(), strict=False):
                    result.setdefault(alike.field, set()).add(value)
    return result


def _titles(lines: Iterable[str], values: set[str]) -> dict[str, str]:
    rows = (json.loads(line) for line in lines)
    return {
        str(row["key"]): _short(str(row["display"]))
        for row in rows
        if "display" in row and str(row["key"]) in values
    }


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
