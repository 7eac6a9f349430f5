"""One worker of a cluster, from TF_CONFIG: `test_workers` runs several, because TensorFlow joins one cluster a process.

Reads a pickle of {"layout", "tasks", "features", "validation_rows", "runs": {name: Settings},
"folder", "last_epoch"} and writes one of the results by name. A worker with a `last_epoch` kills
itself at the end of that epoch of its first run.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

import tensorflow as tf

from tests.trainer.fixed_order import FixedOrder
from trainer.distribute.cluster import parse_cluster
from trainer.distribute.strategies import is_chief, strategy_of
from trainer.distribute.worker_failure import translate_worker_failure
from trainer.fit import fitting
from trainer.fit.early_stopping import EarlyStopping
from trainer.inputs.examples import Examples


class WatchedStopping(EarlyStopping):
    """Keeps what the last run logged, and dies on demand."""

    last: EarlyStopping
    last_epoch: int | None = None

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        WatchedStopping.last = self

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if epoch + 1 == self.last_epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def main(job_file: str, result_file: str) -> None:
    fitting.EarlyStopping = WatchedStopping
    job = pickle.loads(Path(job_file).read_bytes())
    WatchedStopping.last_epoch = job["last_epoch"]
    first = next(iter(job["runs"].values()))
    strategy = strategy_of(first.trainer, parse_cluster(os.environ.get("TF_CONFIG")))
    train = FixedOrder(job["features"])
    validated = {name: values[: job["validation_rows"]] for name, values in job["features"].items()}
    validation = Examples(validated)
    results = {}
    for name, settings in job["runs"].items():
        folder = Path(job["folder"]) / name
        network = fitting.fit(
            job["layout"],
            job["tasks"],
            settings,
            train,
            validation,
            strategy=strategy,
            checkpoint_folder=folder / "state",
            tensorboard_folder=str(folder / Path(result_file).stem),
        )
        results[name] = {"weights": network.get_weights(), "history": WatchedStopping.last.history}
        if is_chief(strategy):
            module = tf.Module()
            module.network = network
            module.logits = tf.function(network.call)
            logits = module.logits(
                {name: tf.constant(values) for name, values in job["features"].items()}
            )
            tf.saved_model.save(module, str(folder / "saved"))
            results[name]["logits"] = {task: values.numpy() for task, values in logits.items()}
    Path(result_file).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    with translate_worker_failure():
        main(sys.argv[1], sys.argv[2])
