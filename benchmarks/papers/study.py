"""A comparison on one data set: tuning, training with all seeds, and the report."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.papers.comparison import best_setting, own_metric
from benchmarks.papers.contenders import (
    BOOSTING,
    BOOSTING_SETTINGS,
    CONTENDERS,
    SETTINGS,
    SINGLE_TASK,
)
from benchmarks.papers.data_sets.sources import Source, checksums
from benchmarks.papers.execution import Job, execute, workload_of
from benchmarks.papers.report import part_sizes, variant_report
from benchmarks.papers.run_store import Finished, Run, RunStore
from feature_spec.strict_model import closest_names

_TUNING_SEED = 1
# A variant is not a model of its own, so it takes over the setting of its model.
_TUNED_AS = {name: one.model for name, one in CONTENDERS.items() if one.variant}


@dataclass(frozen=True, kw_only=True)
class Study:
    """A comparison of contenders on one data set.

    Attributes:
        store: keeps the runs of exactly this comparison.
        variants: the names of the variants of the data; the first one chooses the settings.
        folder: the folder of preprocessed data; None for synthetic data.
        rows: the number of synthetic examples.
        tasks: the tasks to learn.
        trainer: the trainer settings of every run.
        named: model settings that name fields of the data set, by contender.
        boosting: whether gradient boosting takes part.
        facts: facts about the data, for the report.
    """

    store: RunStore
    variants: Sequence[str]
    folder: Path | None
    rows: int
    tasks: tuple[str, ...]
    trainer: Mapping[str, Any]
    named: Mapping[str, Mapping[str, Any]]
    boosting: bool
    facts: Mapping[str, Any]

    @classmethod
    def of_logs(
        cls, source: Source, official: Path, folder: Path, tasks: Sequence[str], boosting: bool
    ) -> Study:
        """Preprocess the logs, unless that is done, and return a study on some tasks of the spec.

        Raises:
            FileNotFoundError: an official file is missing.
            ValueError: a task is not in the spec.
        """
        from benchmarks.papers.preprocessing import ingestion_counts, what_is_learnt

        spec = source.spec()
        for task in tasks:
            if task not in spec.tasks:
                raise ValueError(
                    f"--tasks: no such task {task!r}: {closest_names(task, spec.tasks)}"
                )
        chosen = tasks or source.default_tasks or list(spec.tasks)
        logs = source.logs(official, folder)
        # Another process loads TFX and its dependencies.
        command = [
            sys.executable,
            "-m",
            "benchmarks.papers.preprocess_command",
            source.name,
            str(logs),
            str(folder),
            str(boosting),
        ]
        subprocess.run(command, check=True)
        own = tuple(task for task in spec.tasks if task in chosen)
        return cls(
            store=_store(
                folder,
                {
                    "learnt": what_is_learnt(spec),
                    "trainer": source.trainer,
                    "named": source.named,
                    "tasks": own,
                },
            ),
            variants=("",),
            folder=folder,
            rows=0,
            tasks=own,
            trainer=source.trainer,
            named=source.named,
            boosting=boosting,
            facts={"files": checksums(source, official), "ingestion": ingestion_counts(folder)},
        )

    @classmethod
    def of_synthetic_data(cls, folder: Path, rows: int, correlations: Sequence[float]) -> Study:
        """Return a study on synthetic data; the correlation nearest to .5 chooses the settings."""
        from benchmarks.papers.data_sets.synthetic import TRAINER

        return cls(
            store=_store(folder, {"rows": rows, "trainer": TRAINER}),
            variants=[
                str(value) for value in sorted(correlations, key=lambda value: abs(value - 0.5))
            ],
            folder=None,
            rows=rows,
            tasks=("y1", "y2"),
            trainer=TRAINER,
            named={},
            boosting=False,
            facts={"rows": rows},
        )

    def report(
        self,
        contenders: Sequence[str],
        settings: Sequence[str],
        seeds: Sequence[int],
        jobs: int,
        console: Console,
    ) -> dict[str, Any]:
        """Tune, execute the runs that are not finished, and return the results.

        Args:
            contenders: the names of the contenders. Those that name fields take part where the
                data set says which.
            settings: the names of the settings that each of them chooses from.
            seeds: the seeds of the trainings.
            jobs: the number of processes that train at a time.
            console: shows each run as it ends.
        """
        contenders = [
            name for name in contenders if not CONTENDERS[name].names_fields or name in self.named
        ]
        # MTL gains need the single-task model.
        contenders = list(
            dict.fromkeys(
                [SINGLE_TASK, *_with_tuned(contenders), *([BOOSTING] if self.boosting else [])]
            )
        )
        own = {name: BOOSTING_SETTINGS if name == BOOSTING else SETTINGS for name in contenders}
        choices = {
            name: {setting: values for setting, values in of.items() if setting in settings}
            for name, of in own.items()
        }

        def ended(run: Run, finished: Finished) -> None:
            metrics = {
                task: next(iter(of_task.values())) for task, of_task in finished.validation.items()
            }
            shown = ", ".join(f"{task} {value:.4f}" for task, value in metrics.items())
            name = f"{run.variant} {run.contender}, {run.setting}, seed {run.seed}".strip()
            console.print(f"[dim]{name}: validation {shown}; {finished.elapsed_s:.0f} s[/dim]")

        tuning = [
            self._job(self.variants[0], name, setting, choices[name], [_TUNING_SEED])
            for name in contenders
            if name not in _TUNED_AS
            for setting in choices[name]
        ]
        execute(tuning, jobs, ended)
        chosen = {name: self._best(_TUNED_AS.get(name, name), choices[name]) for name in contenders}
        execute(
            [
                self._job(variant, name, chosen[name], choices[name], seeds)
                for variant in self.variants
                for name in contenders
            ],
            jobs,
            ended,
        )
        return {**self.facts, "settings": SETTINGS, "variants": self._judged(chosen, seeds)}

    def _judged(self, chosen: Mapping[str, str], seeds: Sequence[int]) -> dict[str, Any]:
        result = {}
        for variant in self.variants:
            workloads = {
                seed: workload_of(self.folder, variant, self.rows, seed).of_tasks(self.tasks)
                for seed in seeds
            }
            parts = part_sizes(workloads[seeds[0]])
            result[variant] = {
                "parts": parts,
                **variant_report(self.store, workloads, self.folder, chosen, variant),
            }
        return result

    def _best(self, contender: str, choices: Mapping[str, Any]) -> str:
        runs = {
            setting: Run(
                variant=self.variants[0], contender=contender, setting=setting, seed=_TUNING_SEED
            )
            for setting in choices
        }
        validation = {setting: self.store.finished(run) for setting, run in runs.items()}
        tasks = (
            workload_of(self.folder, self.variants[0], self.rows, _TUNING_SEED)
            .of_tasks(self.tasks)
            .tasks
        )
        return best_setting(
            tasks,
            {name: own_metric(tasks, done.validation) for name, done in validation.items() if done},
        )

    def _job(
        self,
        variant: str,
        contender: str,
        setting: str,
        choices: Mapping[str, Any],
        seeds: Sequence[int],
    ) -> Job:
        return Job(
            runs=tuple(
                Run(variant=variant, contender=contender, setting=setting, seed=seed)
                for seed in seeds
            ),
            store=self.store.folder,
            folder=self.folder,
            tasks=self.tasks,
            rows=self.rows,
            trainer=dict(self.trainer),
            setting=choices[setting],
            named=dict(self.named.get(contender, {})),
        )


def _with_tuned(contenders: Sequence[str]) -> list[str]:
    """Return the contenders, with the model that lends its setting before each ablation."""
    return [
        name
        for contender in contenders
        for name in (_TUNED_AS.get(contender, contender), contender)
    ]


def _store(folder: Path, comparison: Mapping[str, Any]) -> RunStore:
    """Return the store of a comparison; another spec, other tasks or settings get another store."""
    own = {name: [one.own, one.trainer] for name, one in CONTENDERS.items()}
    what = json.dumps(
        {**comparison, "settings": SETTINGS, "boosting": BOOSTING_SETTINGS, "own": own},
        sort_keys=True,
    )
    return RunStore(folder / "runs" / hashlib.sha256(what.encode()).hexdigest()[:12])
