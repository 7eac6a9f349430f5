"""Execution of runs in several processes, which keep TensorFlow and the data between runs."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.papers.contenders import BOOSTING, CONTENDERS, task_groups
from benchmarks.papers.run_store import Finished, Run, RunStore
from benchmarks.papers.workload import Workload
from feature_spec import names

_JOBS_A_PROCESS = 12


@dataclass(frozen=True, kw_only=True)
class Job:
    """Runs that differ only in their seed, with all that a process needs for them.

    Attributes:
        runs: the runs to execute.
        store: the folder of the `RunStore`.
        folder: the folder of the preprocessed data; None for synthetic data.
        tasks: the tasks to learn.
        rows: the number of synthetic examples.
        trainer: the trainer settings of the data set.
        setting: the values of the setting that the runs share.
        named: model settings of the contender that name fields of the data set.
    """

    runs: tuple[Run, ...]
    store: Path
    folder: Path | None
    tasks: tuple[str, ...]
    rows: int
    trainer: dict[str, Any]
    setting: dict[str, Any]
    named: dict[str, Any]


def execute(jobs: Iterable[Job], processes: int, on_end: Callable[[Run, Finished], None]) -> None:
    """Execute the runs that are not finished yet and keep each result at once.

    Args:
        jobs: the jobs, in any order.
        processes: number of processes at a time, which share the cores evenly.
        on_end: called for each run after the last run of its job.
    """
    waiting = [left for job in jobs if (left := _unfinished(job)).runs]
    threads = max((os.cpu_count() or 1) // processes, 1)
    # Each job leaves something behind in TensorFlow, so a pool is closed after some jobs. A pool
    # with `max_tasks_per_child` would replace its processes one by one, but such a pool comes to a
    # standstill in Python 3.11.
    size = processes * _JOBS_A_PROCESS
    for first in range(0, len(waiting), size):
        with ProcessPoolExecutor(
            processes,
            # A process hangs if it is forked after TensorFlow has started threads.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_limit_threads,
            initargs=(threads,),
        ) as pool:
            running = {pool.submit(_execute, job): job for job in waiting[first : first + size]}
            for done in as_completed(running):
                for run, finished in zip(running[done].runs, done.result(), strict=True):
                    on_end(run, finished)


def _unfinished(job: Job) -> Job:
    store = RunStore(job.store)
    return replace(job, runs=tuple(run for run in job.runs if store.finished(run) is None))


def _limit_threads(threads: int) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _execute(job: Job) -> list[Finished]:
    return _boosted(job) if job.runs[0].contender == BOOSTING else _trained(job)


def _trained(job: Job) -> list[Finished]:
    from benchmarks.papers.comparison import task_metrics
    from benchmarks.papers.training import train

    first = job.runs[0]

    def workload(seed: int) -> Workload:
        return workload_of(job.folder, first.variant, job.rows, seed).of_tasks(job.tasks)

    settings = CONTENDERS[first.contender].settings(job.trainer, job.setting, first.seed, job.named)
    trained = train(
        settings, task_groups(first.contender, job.tasks), [run.seed for run in job.runs], workload
    )
    result = []
    began = time.monotonic()
    for run, one in zip(job.runs, trained, strict=True):
        own = workload(one.seed)
        metrics = task_metrics(
            own.tasks, own.splits[names.VALIDATION], one.scores[names.VALIDATION]
        )
        result.append(
            Finished(
                validation=metrics,
                parameters=one.parameters,
                elapsed_s=time.monotonic() - began,
                closed=one.closed,
            )
        )
        RunStore(job.store).keep(run, result[-1], one.scores[names.EVALUATION])
        began = time.monotonic()
    return result


def _boosted(job: Job) -> list[Finished]:
    from benchmarks.papers.boosting import boost, boosting_examples
    from benchmarks.papers.comparison import task_metrics

    if job.folder is None:
        raise ValueError("gradient boosting takes part on logs only")
    every = _logged_workload(job.folder).tasks
    tasks = {task: every[task] for task in job.tasks}
    columns = [list(every).index(task) for task in tasks]
    result = []
    for run in job.runs:
        began = time.monotonic()
        by_task = {
            task: boost(job.folder, column, tasks[task].kind, job.setting, run.seed)
            for task, column in zip(tasks, columns, strict=True)
        }
        scores = {
            split: {task: of[split] for task, of in by_task.items()}
            for split in (names.VALIDATION, names.EVALUATION)
        }
        metrics = task_metrics(
            tasks,
            boosting_examples(job.folder, names.VALIDATION, columns),
            scores[names.VALIDATION],
        )
        result.append(
            Finished(validation=metrics, parameters=0, elapsed_s=time.monotonic() - began)
        )
        RunStore(job.store).keep(run, result[-1], scores[names.EVALUATION])
    return result


def workload_of(folder: Path | None, variant: str, rows: int, seed: int) -> Workload:
    """Return the preprocessed data of a folder, or else synthetic data.

    Synthetic data are drawn anew for each seed, with the correlation that `variant` names.
    """
    return _logged_workload(folder) if folder else _synthetic_workload(float(variant), rows, seed)


@functools.lru_cache(maxsize=1)
def _logged_workload(folder: Path) -> Workload:
    from benchmarks.papers.preprocessing import load_workload

    return load_workload(folder)


@functools.lru_cache(maxsize=1)
def _synthetic_workload(correlation: float, rows: int, seed: int) -> Workload:
    from benchmarks.papers.data_sets.synthetic import synthetic_workload

    return synthetic_workload(correlation, rows, seed)
