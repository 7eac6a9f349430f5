"""The numbers of the tables. No other module reads the labels of the test part."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.papers.boosting import boosting_examples
from benchmarks.papers.comparison import compare, own_metric, task_metrics
from benchmarks.papers.contenders import BOOSTING, CONTENDERS, SINGLE_TASK
from benchmarks.papers.run_store import Run, RunStore
from benchmarks.papers.workload import Workload
from feature_spec.names import EVALUATION

# The models that the two papers propose, what came after them, and variants. All others but
# gradient boosting are baselines.
PROPOSED = (
    *("cgc", "ple", "mssm", "dselect_k", "stem", "adatt"),
    *(name for name, contender in CONTENDERS.items() if contender.variant),
)


def variant_report(
    store: RunStore,
    workloads: Mapping[int, Workload],
    folder: Path | None,
    chosen: Mapping[str, str],
    variant: str,
) -> dict[str, Any]:
    """Return all results on one variant of the data.

    Args:
        store: the store of the runs.
        workloads: the workload of each seed, with the tasks of the comparison.
        folder: the folder of the preprocessed data, for the row order of gradient boosting.
        chosen: the chosen setting by contender.
        variant: the variant of the data.

    Returns:
        `models`: by contender, its setting, its size, its time, what its gates and masks closed in
            the mean over seeds, and by task the mean, the
            deviation, the gain, the p-value, the baseline and the value of each seed.
    """
    tasks = next(iter(workloads.values())).tasks
    facts: dict[str, dict[str, Any]] = {}
    by_model: dict[str, dict[int, dict[str, float]]] = {}
    for contender, setting in chosen.items():
        log_losses, times, closed = [], [], []
        by_model[contender] = {}
        for seed, workload in workloads.items():
            run = Run(variant=variant, contender=contender, setting=setting, seed=seed)
            examples = workload.splits[EVALUATION]
            if contender == BOOSTING and folder is not None:
                examples = boosting_examples(folder, EVALUATION, list(workload.tasks))
            metrics = task_metrics(tasks, examples, store.test_scores(run))
            by_model[contender][seed] = own_metric(tasks, metrics)
            log_losses.append(
                [of_task["log_loss"] for of_task in metrics.values() if "log_loss" in of_task]
            )
            finished = store.finished(run)
            if finished is not None:
                times.append(finished.elapsed_s)
                closed.append(finished.closed)
                facts[contender] = {"setting": setting, "parameters": finished.parameters}
        facts[contender]["elapsed_s"] = round(statistics.fmean(times), 1)
        if closed and all(closed):
            facts[contender]["closed"] = {
                name: statistics.fmean(of_seed[name] for of_seed in closed) for name in closed[0]
            }
        if log_losses[0]:
            facts[contender]["log_loss"] = statistics.fmean(sum(losses) for losses in log_losses)
    proposed = [name for name in by_model if name in PROPOSED]
    for name, task in tasks.items():
        results = compare(name, task, by_model, SINGLE_TASK, [*proposed, BOOSTING])
        for contender, result in results.items():
            facts[contender].setdefault("tasks", {})[name] = {
                "metric": task.metric,
                "mean": result.mean,
                "deviation": result.deviation,
                "gain": result.gain,
                "p_value": None if contender == BOOSTING else result.p_value,
                "baseline": result.baseline,
                "by_seed": {seed: metrics[name] for seed, metrics in by_model[contender].items()},
            }
    return {"models": facts}


def part_sizes(workload: Workload) -> dict[str, dict[str, Any]]:
    """Return, by task and part, the rows in the sample space, and the positives of binary tasks."""
    from feature_spec import names

    result: dict[str, dict[str, Any]] = {}
    for column, (name, task) in enumerate(workload.tasks.items()):
        result[name] = {}
        for split, examples in workload.splits.items():
            inside = examples[names.MASKS][:, column] > 0
            sizes = {"rows": int(inside.sum())}
            if task.kind == "binary":
                sizes["positives"] = int(examples[names.LABELS][inside, column].sum())
            result[name][split] = sizes
    return result


def mean_gains(report: Mapping[str, Any]) -> dict[str, dict[float, float]]:
    """Return the MTL gain by model and correlation, as the mean of the two tasks.

    The gain is the MSE of the single-task model minus the MSE of the model.
    """
    gains: dict[str, dict[float, float]] = {}
    for variant, of_variant in report["variants"].items():
        for model, facts in of_variant["models"].items():
            if model != SINGLE_TASK:
                own = statistics.fmean(result["gain"] for result in facts["tasks"].values())
                gains.setdefault(model, {})[float(variant)] = own
    return {model: dict(sorted(by_correlation.items())) for model, by_correlation in gains.items()}
