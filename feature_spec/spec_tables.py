"""Tables of a spec's fields, tasks and formula, for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from feature_spec.fields.field import (
    CategoricalField,
    Field,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
    time_part,
)
from feature_spec.formula import RankingFormula
from feature_spec.histories.history_table import history_table
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.head import head_text
from feature_spec.tasks.task import Task


def print_spec(spec: FeatureSpec, console: Console) -> None:
    """Print the fields, tasks and ranking formula of a spec."""
    given = {name: field for name, field in spec.fields.items() if field.history is None}
    more = len(spec.fields) - len(given)
    fields = Table(
        title=f"{spec.name}: {len(given)} fields" + (f", and {more} of histories" if more else ""),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("field", "side", "kind", "read from", "becomes"):
        fields.add_column(heading)
    for name, field in given.items():
        part = time_part(field)
        column = field.column or (f"event time: {part}" if part else name)
        fields.add_row(
            name,
            field.side,
            field.kind,
            f"{field.table}.{column}" if field.table else column,
            _becomes(field) + (", in training only" if field.training_only else ""),
        )
    console.print(fields)
    if spec.histories is not None:
        console.print(history_table(spec.histories, spec.fields, spec.tasks))

    tasks = Table(
        title=f"{len(spec.tasks)} tasks", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("task", "kind", "label", "sample space", "loss weight", "blessed if"):
        tasks.add_column(heading)
    for name, task in spec.tasks.items():
        tasks.add_row(
            name,
            task.kind + (f", {head}" if (head := head_text(task)) else ""),
            task.label.text
            + (f", quantile within {task.quantile_within}" if task.quantile_within else ""),
            sample_space_text(task),
            _loss_weight(task),
            _blessing(task),
        )
    console.print(tasks)
    console.print(
        f"ranking score = {formula_text(spec.ranking_formula)}", markup=False, highlight=False
    )
    for line in [
        *_weight(spec),
        *_calibration(spec),
        *_evaluation(spec),
        *_by_span(spec),
        *_watched(spec),
        *_search(spec),
    ]:
        console.print(line, markup=False, highlight=False)
    counts = ", ".join(f"{count:,}" for count in spec.serving.candidate_counts)
    budget = (
        f"pushed if 99 of 100 requests of {counts} candidates "
        f"take at most {spec.serving.latency_budget_ms:g} ms"
    )
    console.print(budget, markup=False, highlight=False)
    console.print(f"fingerprint   = {spec.fingerprint}", markup=False, highlight=False)


def formula_text(formula: RankingFormula) -> str:
    """Return the formula as one line, such as ``ctr^1.0 · log1p(duration_s / 10)^0.5``."""
    factors = [f"{task}^{weight:g}" for task, weight in formula.weights.items()]
    if formula.duration:
        argument = f"{formula.duration.field} / {formula.duration.scale:g}"
        call = (
            f"({argument})"
            if formula.duration.transform == "none"
            else f"{formula.duration.transform}({argument})"
        )
        factors.append(f"{call}^{formula.duration.weight:g}")
    return " · ".join(factors) or "1"


def _weight(spec: FeatureSpec) -> list[str]:
    return [f"each example counts by {spec.weight.column}"] if spec.weight is not None else []


def _calibration(spec: FeatureSpec) -> list[str]:
    settings = spec.calibration
    if settings is None:
        return []
    methods = settings.of_tasks({name: task.kind for name, task in spec.tasks.items()})
    lines = []
    if methods:
        of_tasks = ", ".join(f"{task} by {method}" for task, method in methods.items())
        by = f", with shifts by {settings.by}" if settings.by is not None else ""
        lines.append(f"calibrated on the validation examples: {of_tasks}{by}")
    if settings.within is not None:
        lower, upper = settings.within
        lines.append(f"refused if predicted over observed is not within {lower:g} and {upper:g}")
    return lines


def _evaluation(spec: FeatureSpec) -> list[str]:
    lines = []
    if ndcg := spec.evaluation.ndcg:
        gains = " + ".join(f"{weight:g} · {task}" for task, weight in ndcg.relevance.items())
        lines.append(f"NDCG@{ndcg.k} by {ndcg.by}, gain = {gains}")
    if spec.evaluation.gauc_by == "request":
        lines.append("GAUC by request")
    if slices := spec.evaluation.slices:
        names = [f"{part.field} (protected)" if part.protected else part.field for part in slices]
        lines.append(f"evaluated on slices by {', '.join(names)}")
    return lines


def _by_span(spec: FeatureSpec) -> list[str]:
    if not spec.logs.shown.has_day:
        return []
    return [f"with --span: trained on {spec.spans.window_days} days, judged on the next one"]


def _watched(spec: FeatureSpec) -> list[str]:
    then = "the run stops" if spec.drift.stops_run else "the run goes on"
    told = {
        f"drift of examples, beyond which {then}": spec.drift.thresholds,
        "skew of requests": spec.skew.thresholds,
    }
    lines = []
    for what, thresholds in told.items():
        limits = [f"{name} {limit.measure} {limit.limit:g}" for name, limit in thresholds.items()]
        if limits:
            lines.append(f"{what}: {', '.join(limits)}")
    return lines


def _search(spec: FeatureSpec) -> list[str]:
    if spec.tuner is None:
        return []
    return [
        f"with --tune: at most {spec.tuner.max_trials} trials of {', '.join(spec.tuner.search)} "
        f"for {spec.tuner.objective}"
    ]


def _becomes(field: Field) -> str:
    if isinstance(field, SequenceField):
        pooling = "" if field.pooling == "mean" else f", {field.pooling}"
        return f"up to {field.max_length} × {field.shares}{pooling}"
    if isinstance(field, NumericField):
        return (
            f"{field.buckets} quantiles × {field.width}"
            if field.transform == "quantiles"
            else field.transform + (f" of {field.of}" if field.is_rate else "")
        )
    if isinstance(field, VectorField) and field.weights_of is not None:
        return f"up to {field.dimension} weights of {field.weights_of}"
    if isinstance(field, VectorField):
        length = ", of length 1" if field.normalise else ""
        encoder = f", by {field.encoder}" if field.encoder else ""
        return f"{field.dimension} values{length}{encoder} → {field.project}"
    vocabulary = field.vocabulary_or_default
    rows = f"{field.hash_buckets} hashed"
    if vocabulary:
        rows = f"count ≥ {vocabulary.min_count}, {vocabulary.oov_buckets} OOV"
    tags = f"up to {field.max_length}: " if isinstance(field, MultiCategoricalField) else ""
    default = (
        f", missing → {field.default!r}"
        if isinstance(field, CategoricalField) and field.default is not None
        else ""
    )
    return f"{tags}{rows} × {field.width}{default}"


def sample_space_text(task: Task) -> str:
    """Return a task's sample space in words, such as ``scenario in click`` or ``given click``."""
    if task.given is not None:
        return f"given {task.given}" + (f", {task.chain}" if task.chain else "")
    return "all exposures" if task.sample_space is None else task.sample_space.text


def _loss_weight(task: Task) -> str:
    ratio = task.loss_weight_update_ratio
    return f"{task.loss_weight:g}" + (f" · {ratio:g}^t" if ratio != 1.0 else "")


def _blessing(task: Task) -> str:
    sign, direction = ("≥", "down") if task.higher_is_better else ("≤", "up")
    floor = "better than chance" if task.threshold is None else f"{sign} {task.threshold:g}"
    most = "by noise" if task.tolerance is None else f"{task.tolerance:g}"
    return f"{task.metric} {floor}, {direction} at most {most}"
