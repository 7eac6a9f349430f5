"""Trains on two logical CPUs, which must be set up before TensorFlow starts: `test_replicas` runs it in a process of its own.

Reads a pickle of {"layout", "tasks", "headed": others by way, "features", "runs": {name: [Settings, …]}, "saved", "folder"}
and writes one of the results by name. Several settings of a name are runs over one folder of
checkpoints, so that each goes on after the one before. The network of the run "saved" is saved.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import tensorflow as tf

from tests.trainer.fixed_order import FixedOrder
from trainer.fit import fitting
from trainer.fit.early_stopping import EarlyStopping


class WatchedStopping(EarlyStopping):
    """Keeps what the last run logged."""

    last: EarlyStopping

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        WatchedStopping.last = self


def main(job_file: str, result_file: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    fitting.EarlyStopping = WatchedStopping
    job = pickle.loads(Path(job_file).read_bytes())
    examples = FixedOrder(job["features"])
    results = {}
    for name, runs in job["runs"].items():
        folder = Path(job["folder"]) / name
        way = name.partition("-")[0]
        layout, tasks = job["headed"].get(way, (job["layout"], job["tasks"]))
        for settings in runs:
            network = fitting.fit(
                layout,
                tasks,
                settings,
                examples,
                examples,
                checkpoint_folder=folder / "state",
            )
        model = WatchedStopping.last.model
        results[name] = {
            "replicas": model.distribute_strategy.num_replicas_in_sync,
            "weights": network.get_weights(),
            "balancing": [variable.numpy() for variable in model.balancing.variables],
            "history": WatchedStopping.last.history,
        }
        if name == job["saved"]:
            module = tf.Module()
            module.network = network
            batch = {name: tf.constant(values) for name, values in job["features"].items()}
            module.logits = tf.function(network.call)
            logits = module.logits(batch)
            tf.saved_model.save(module, str(folder / "saved"))
            results[name]["logits"] = {task: values.numpy() for task, values in logits.items()}
            results[name]["saved"] = str(folder / "saved")
    Path(result_file).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
