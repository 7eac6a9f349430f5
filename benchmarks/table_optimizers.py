"""How well embedding tables learn with each optimizer, initial accumulator, rate and batch size.

    python -m benchmarks.table_optimizers --dataset kuairand --data ../shared/data/kuairand_pure
    python -m benchmarks.table_optimizers … --accumulators 0.001,0.1 --rates 0.03 --batches 256,4096

It trains PLE on the examples of `benchmarks.papers` with each choice and prints the mean metric of
each task on the test part: over all examples, and over those of users with fewer than ten examples
to train on, whose rows have learnt least. Accumulators are in squares of one example's gradient, as
in `trainer.embedding_initial_accumulator`.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.papers.__main__ import FOLDER
from benchmarks.worker import machine

_FEW_EXAMPLES = 10
_WIDTH_OF_FILES = 200


def main(
    *,
    dataset: Annotated[str, typer.Option(help="census or kuairand.")],
    data: Annotated[Path, typer.Option(help="Folder of the official files.", exists=True)],
    optimizers: Annotated[str, typer.Option(help="adagrad, row_wise.")] = "adagrad,row_wise",
    accumulators: Annotated[str, typer.Option(help="Initial accumulators.")] = "0.0001,0.01,1",
    rates: Annotated[str, typer.Option(help="Learning rates.")] = "0.01,0.03,0.1",
    batches: Annotated[str, typer.Option(help="Batch sizes.")] = "1024",
    seeds: Annotated[int, typer.Option(help="Trainings of each choice.", min=1)] = 1,
    model: Annotated[str, typer.Option(help="A contender of benchmarks.papers.")] = "ple",
    settings: Annotated[
        str, typer.Option(help="Further settings of the trainer, as JSON.")
    ] = '{"learning_rate": 0.003}',
    work: Annotated[Path, typer.Option(help="Keeps the preprocessed data.")] = FOLDER / "papers",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
) -> None:
    """Train with each choice and print the metrics on the test part."""
    from benchmarks.papers.data_sets.sources import SOURCES
    from benchmarks.papers.study import Study

    study = Study.of_logs(SOURCES[dataset], data.resolve(), (work / dataset).resolve(), (), False)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_FILES)
    results = []
    choices = itertools.product(
        optimizers.split(","), _numbers(accumulators), _numbers(rates), map(int, batches.split(","))
    )
    for optimizer, accumulator, rate, batch in choices:
        chosen = {
            **study.trainer,
            **json.loads(settings),
            "embedding_initial_accumulator": accumulator,
            "embedding_learning_rate": rate,
            "batch_size": batch,
        }
        result = {"optimizer": optimizer, "accumulator": accumulator, "rate": rate, "batch": batch}
        result |= _measured(study, model, chosen, optimizer, seeds)
        results.append(result)
        console.print(json.dumps(result))
    console.print(_table(results))
    if json_file:
        report = {"dataset": dataset, "machine": machine(), "seeds": seeds, "results": results}
        json_file.write_text(json.dumps(report, indent=2), encoding="utf-8")


def _measured(
    study: Any, model: str, trainer: dict[str, Any], optimizer: str, seeds: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return mean and deviation over the seeds by task: over all rows, and of users with few."""
    from benchmarks.papers.comparison import own_metric, task_metrics
    from benchmarks.papers.contenders import CONTENDERS
    from benchmarks.papers.execution import workload_of
    from benchmarks.papers.training import train
    from feature_spec.names import EVALUATION, TRAIN
    from trainer.fit import optimizers

    made = optimizers.table_adagrad
    if optimizer == "row_wise":
        optimizers.table_adagrad = _row_wise
    workload = workload_of(study.folder, "", 0, 0).of_tasks(study.tasks)
    test = workload.splits[EVALUATION]
    ids = [workload.splits[split].get("request_ids") for split in (TRAIN, EVALUATION)]
    rows = len(test["labels"])
    rare = np.zeros(rows, bool) if ids[0] is None else _of_rare_users(*ids)
    found: dict[str, list[dict[str, float]]] = {"all": [], "few": []}
    chosen = CONTENDERS[model].settings(trainer, {}, 1)
    trained = train(chosen, [study.tasks], range(1, seeds + 1), lambda _: workload)
    for _, scores, _, _ in trained:
        for part, rows in (("all", np.ones(len(rare), bool)), ("few", rare)):
            if rows.any():
                metrics = task_metrics(
                    workload.tasks,
                    {name: values[rows] for name, values in test.items()},
                    {task: values[rows] for task, values in scores[EVALUATION].items()},
                )
                found[part].append(own_metric(workload.tasks, metrics))
    optimizers.table_adagrad = made
    return {
        part: {
            task: (statistics.fmean(values), statistics.pstdev(values))
            for task in workload.tasks
            for values in [[one[task] for one in seen]]
        }
        for part, seen in found.items()
        if seen
    }


def _row_wise(settings: Any) -> Any:
    """Make Adagrad with one accumulator a row: the mean of the squares of its gradient."""
    import tensorflow as tf

    from trainer.fit.optimizers import TableAdagrad

    class RowWiseAdagrad(TableAdagrad):
        def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
            start = tf.keras.initializers.Constant(self._initial_accumulator_value)
            for table in var_list:
                self.add_slot(table, "accumulator", start, shape=[table.shape[0], 1])

        def _resource_apply_sparse(
            self, grad: tf.Tensor, var: tf.Variable, indices: tf.Tensor, **_: Any
        ) -> Any:
            accumulator = self.get_slot(var, "accumulator")
            squares = tf.reduce_mean(tf.square(grad), axis=1, keepdims=True)
            accumulator.scatter_add(tf.IndexedSlices(squares, indices))
            roots = tf.sqrt(tf.gather(accumulator, indices))
            rate = tf.cast(self._get_hyper("learning_rate"), grad.dtype)
            return var.scatter_sub(tf.IndexedSlices(rate * grad / roots, indices))

    return RowWiseAdagrad(
        settings.embedding_learning_rate,
        batch_size=settings.batch_size,
        initial_accumulator_value=settings.embedding_initial_accumulator,
    )


def _of_rare_users(
    trained: npt.NDArray[np.generic], judged: npt.NDArray[np.generic]
) -> npt.NDArray[np.bool_]:
    """Tell which rows to judge are of users with few rows to train on.

    The users' ids are the column of the request's with the most values.
    """
    column = max(range(trained.shape[1]), key=lambda place: len(np.unique(trained[:, place])))
    users, counts = np.unique(trained[:, column], return_counts=True)
    often = users[counts >= _FEW_EXAMPLES]
    return ~np.isin(judged[:, column], often)


def _table(results: Sequence[dict[str, Any]]) -> Table:
    tasks = list(results[0]["all"])
    table = Table(title="test part: all examples / users with fewer than ten to train on")
    for name in ("optimizer", "accumulator", "rate", "batch", *tasks):
        table.add_column(name)
    for result in results:
        cells = [
            " / ".join(
                "{:.4f} ± {:.4f}".format(*result[part][task])
                for part in ("all", "few")
                if part in result
            )
            for task in tasks
        ]
        chosen = (str(result[name]) for name in ("optimizer", "accumulator", "rate", "batch"))
        table.add_row(*chosen, *cells)
    return table


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    typer.run(main)
