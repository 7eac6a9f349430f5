"""What a look at logs finds: what will stop a run for certain, and what may spoil its model."""

from __future__ import annotations

from collections.abc import Iterator

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from feature_spec.tasks.evidence import ENOUGH_EVIDENCE
from pipeline.ingest.accounting.ingest_warnings import ingestion_warnings
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.log_look.log_look import LogLook, SourceLook

_POOR_MATCH = 0.5
# Means of weights between it and its inverse leave counts that are sums of weights meaningful.
_LEAST_WEIGHT = 0.1
_EFFECTS = {
    VALIDATION: "too few for early stopping to tell",
    EVALUATION: "too few for the gate to tell",
}


def certain_failures(look: LogLook, settings: IngestSettings) -> list[str]:
    """Return why an ingestion of the logs will fail; empty unless all lines were read."""
    if not look.is_whole or not (look.has_labels or not look.summary.lines):
        return []
    try:
        look.summary.check(settings)
    except ValueError as error:
        return [f"{error}{examples_of(look.rejected)}"]
    return []


def examples_of(rejected: list[RejectedLine]) -> str:
    """Return a line for the first rejected line of each source and reason, or nothing."""
    return "".join(
        f"\n  {line.source}: {line.reason}: {line.detail}"
        for line in sorted(rejected, key=lambda line: (line.reason, line.source))
    )


def look_warnings(look: LogLook, settings: IngestSettings, batch_size: int | None) -> list[str]:
    """Return a sentence for each thing that may stop a run, or spoil its model.

    Args:
        look: the look.
        settings: the part of it that ingestion reads.
        batch_size: the trainer's; None if it is not known.
    """
    warnings = [*_of_matches(look)]
    if look.is_whole:
        warnings += ingestion_warnings(look.summary, batch_size) if look.has_labels else []
        warnings += _of_positives(look, 1.0)
    else:
        warnings += _of_rejected(look, settings)
        sample = _sample(look.sources[None])
        warnings += [f"{sample}{text}" for text in _of_positives(look, look.factor)]
        warnings += _of_batches(look, batch_size)
    return [*warnings, *_of_weights(look, settings), *_of_vocabularies(look)]


def _sample(source: SourceLook) -> str:
    if source.is_whole:
        return ""
    return f"in a sample of {source.lines:,} of about {source.about_lines:,} lines: "


def _of_matches(look: LogLook) -> Iterator[str]:
    for name, match in look.matches.items():
        source = look.sources[name]
        if source.is_whole and match.rows and match.matched < _POOR_MATCH * match.rows:
            yield (
                f"{source.place}: {match.matched / match.rows:.1%} of {match.rows:,} lines find "
                f"their {match.key!r} among the keys of {source.text}: the log has "
                f"{_quoted(match.of_log)}, the table {_quoted(match.of_table)}"
            )


def _quoted(keys: list[str]) -> str:
    return ", ".join(map(repr, keys)) or "none"


def _of_rejected(look: LogLook, settings: IngestSettings) -> Iterator[str]:
    own = settings.logs.max_rejected_share_of
    common = settings.logs.max_rejected_share
    for source, seen in look.sources.items():
        counted = look.summary.by_source[source]
        others = {reason: count for reason, count in counted.rejected.items() if reason not in own}
        limits = [(others, common, "logs.max_rejected_share")]
        limits += [
            ({name: counted.rejected.get(name, 0)}, limit, f"logs.max_rejected_share_of.{name}")
            for name, limit in own.items()
        ]
        whose = "the" if source is None else counted.whose
        for counts, limit, place in limits:
            count = sum(counts.values())
            if count > limit * counted.kept:
                reasons = ", ".join(f"{reason} {number:,}" for reason, number in counts.items())
                yield (
                    f"{_sample(seen)}{count / counted.kept:.1%} of {whose} lines would be "
                    f"rejected, and a run stops beyond {place} {limit:.1%}: {reasons}"
                    f"{examples_of(look.rejected)}"
                )


def _of_positives(look: LogLook, factor: float) -> Iterator[str]:
    """Warn of splits with few positives or negatives; of none at all, ingestion warns itself."""
    for task, splits in look.summary.tasks.items():
        for split, effect in _EFFECTS.items():
            counts = splits[split]
            if counts.positives is None or counts.negatives is None or not counts.examples:
                continue
            what, least = min(
                ("positives", counts.positives),
                ("negatives", counts.negatives),
                key=lambda pair: pair[1],
            )
            if least * factor < ENOUGH_EVIDENCE and (least or factor > 1.0):
                about = "about " if factor > 1.0 else ""
                number = f"{least * factor:,.0f}"
                named = what.removesuffix("s") if number == "1" else what
                yield f"{task}: {about}{number} {named} in {split}: {effect}"


def _of_batches(look: LogLook, batch_size: int | None) -> Iterator[str]:
    examples = look.summary.examples.get(TRAIN, 0) * look.factor
    if batch_size is not None and 0 < examples < batch_size:
        yield (
            f"about {examples:,.0f} examples to train on are fewer than trainer.batch_size "
            f"({batch_size:,}): each epoch is one smaller batch"
        )


def _of_weights(look: LogLook, settings: IngestSettings) -> Iterator[str]:
    """Warn of weights by whose sums no count of the evaluation says how much it knows."""
    mean = look.mean_weight
    if mean is not None and not _LEAST_WEIGHT <= mean <= 1.0 / _LEAST_WEIGHT:
        effect = "no example trains or judges the model"
        if mean:
            effect = (
                "the evaluation and early stopping count sums of weights: give weights of mean 1"
            )
        yield f"weight.column: the mean of {settings.weight!r} is {mean:.3g}: {effect}"


def _of_vocabularies(look: LogLook) -> Iterator[str]:
    for name, size in look.vocabularies.items():
        if not size.presence:
            yield f"fields.{name}: no line to train on has a value"
        elif size.min_count is not None and size.values and not size.kept:
            yield (
                f"fields.{name}: none of its {size.values:,} values occurs "
                f"vocabulary.min_count = {size.min_count} times: all share the rows of unknown "
                "values"
            )
