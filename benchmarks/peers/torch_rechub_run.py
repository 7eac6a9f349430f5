"""KuaiRand-Pure from its official files to a trained PLE by a plain script.

The script is of pandas and torch-rechub's trainer. Arguments: JSON of a plan, see
`benchmarks.rechub_run`, and a folder for the weights. It prints the AUC of each binary task on the
last two days. Like most scripts of its kind it rejects and checks nothing.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pandas as pd


def main(plan: dict[str, Any], folder: str) -> None:
    """Prepare, train, judge and save."""
    import torch
    from sklearn.metrics import roc_auc_score
    from torch.utils.data import DataLoader
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import PLE
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator, PredictDataset

    torch.manual_seed(42)
    log, evaluated = _log(plan)
    validation = ~evaluated & (np.random.default_rng(0).random(len(log)) < 0.05)
    inputs, sizes = _inputs(log, plan, ~evaluated)
    labels = log[plan["tasks"]].to_numpy("float32")
    kinds = ["regression" if task == "watch_ratio" else "classification" for task in plan["tasks"]]

    def part(rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        return {name: values[rows] for name, values in inputs.items()}, labels[rows]

    (x_val, y_val), (x_test, y_test) = part(validation), part(evaluated)
    train, validate, _ = DataGenerator(*part(~evaluated & ~validation)).generate_dataloader(
        x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test, batch_size=plan["batch_size"]
    )
    model = PLE(
        [SparseFeature(name, size, embed_dim=plan["width"]) for name, size in sizes.items()],
        kinds,
        n_level=plan["levels"],
        n_expert_specific=plan["task_experts"],
        n_expert_shared=plan["shared_experts"],
        expert_params={"dims": [plan["units"]]},
        tower_params_list=[{"dims": [plan["tower_units"]]}] * len(kinds),
    )
    trainer = MTLTrainer(
        model,
        kinds,
        optimizer_params={"lr": 1e-3},
        n_epoch=plan["epochs"],
        earlystop_patience=plan["epochs"],
        model_path=folder,
    )
    trainer.fit(train, validate)
    judge = DataLoader(PredictDataset(x_test), batch_size=plan["batch_size"])
    scores = np.asarray(trainer.predict(model, judge))
    aucs = {
        task: float(roc_auc_score(y_test[:, place], scores[:, place]))
        for place, (task, kind) in enumerate(zip(plan["tasks"], kinds, strict=True))
        if kind == "classification"
    }
    sys.stdout.write(json.dumps({"rows": len(log), "auc": aucs}) + "\n")


def _log(plan: dict[str, Any]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the log beside its side tables, and which rows are of the last two days."""
    log = pd.read_csv(plan["log"]).drop_duplicates()
    for table, key in plan["tables"]:
        log = log.merge(pd.read_csv(table), on=key, how="left")
    days = pd.to_datetime(log["time_ms"], unit="ms", utc=True).dt.tz_convert("Asia/Shanghai")
    days = days.dt.normalize()
    ratio = log["play_time_ms"] / log["duration_ms"].where(log["duration_ms"] > 0)
    log["watch_ratio"] = ratio.clip(upper=2.0).fillna(0.0)
    return log, (days >= days.max() - pd.Timedelta(days=1)).to_numpy()


def _inputs(
    log: pd.DataFrame, plan: dict[str, Any], training: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return an id of each row by field, and the number of ids; 0 is what training never saw."""
    inputs, sizes = {}, {}
    for name in (*plan["categorical"], *plan["numeric"]):
        column = log[name]
        if name in plan["numeric"]:
            edges = column[training].quantile(np.linspace(0, 1, 17)[1:-1]).unique()
            column = pd.Series(np.searchsorted(edges, column.fillna(-1.0)), index=log.index)
        known = pd.Index(column[training].unique())
        inputs[name] = known.get_indexer(column) + 1
        sizes[name] = len(known) + 1
    return inputs, sizes


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
