"""A training with a large embedding table, and the peak memory of each of its phases.

    python -m benchmarks.large_tables_worker prepare FOLDER VALUES EXAMPLES
    python -m benchmarks.large_tables_worker train FOLDER DAY

`prepare` writes what a training reads, for two days: Transform's graph with a vocabulary of VALUES
entries, and transformed examples. On the second day the entries come in another order, and a tenth
of them is new. `train` runs the product's own training of a day, which on the second day begins
with the weights of the first. The memory of a phase is the largest resident memory of the process
(VmHWM of Linux, which is set back as a phase begins) while it runs.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.worker import report

WIDTH, BATCH_SIZE = 16, 512
# Two fields share the table. Each has a row for missing values and an OOV bucket.
RESERVED_ROWS = 4
METRIC = "metric: auc, threshold: 0.5, tolerance: 0.1"
SPEC = f"""
name: large_tables
logs: {{exposures: {{path: x, format: jsonl}}}}
split: {{evaluation_files: [x]}}
fields:
  user: {{side: user, kind: categorical, width: {WIDTH}}}
  item: {{side: item, kind: categorical, width: {WIDTH}}}
  price: {{side: item, kind: numeric}}
tasks:
  click: {{kind: binary, label: {{rule: event, column: c}}, {METRIC}}}
  like: {{kind: binary, label: {{rule: event, column: l}}, {METRIC}}}
ranking_formula: {{weights: {{click: 1.0}}}}
"""
DAYS = (1, 2)
FIELDS = (b"user", b"item")


def prepare(folder: Path, values: int, examples: int) -> None:
    """Write the inputs of both days."""
    import numpy as np

    from benchmarks.peers.fulcrum import write

    random = np.random.default_rng(0)
    _write_graph(folder / "transform")
    for day in DAYS:
        graph = folder / f"day_{day}" / "transform"
        shutil.copytree(folder / "transform", graph)
        # A tenth of the second day's entries is new.
        numbers = random.permutation(values) + (day - 1) * values // 10
        with (graph / "transform_fn" / "assets" / f"vocabulary_{WIDTH}").open("wb") as file:
            for first in range(0, values, 1 << 16):
                some = numbers[first : first + (1 << 16)].tolist()
                file.write(
                    b"".join(b"%b\x1fv%08d\n" % (b"user item".split()[n % 2], n) for n in some)
                )
        for split, count in (("train", examples), ("validation", examples // 4)):
            ids = random.integers(0, RESERVED_ROWS + values, (2, count, 1))
            labels = random.integers(0, 2, (count, 2)).astype("f4")
            data = {
                "request_ids": ids[0],
                "candidate_ids": ids[1],
                "candidate_numbers": random.normal(size=(count, 1)).astype("f4"),
                "labels": labels,
                "masks": np.ones_like(labels),
            }
            write(folder / f"day_{day}" / f"{split}.gz", data)
    report({})


def _write_graph(graph: Path) -> None:
    """Write Transform's graph, of a single example."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from tfx_bsl.tfxio import tf_example_record

    from feature_spec.loading import parse_spec
    from pipeline.transform.preprocessing import preprocessing_fn
    from pipeline.validate.schema import schema_from_spec

    import tensorflow as tf  # isort: skip  after the pipeline chose the Keras dialect

    spec = parse_spec(SPEC)
    example = tf.train.Example()
    for name in ("user", "item"):
        example.features.feature[name].bytes_list.value.append(b"x")
    numbers = ["price", *(f"{part}_of_{task}" for task in spec.tasks for part in ("label", "mask"))]
    for name in numbers:
        example.features.feature[name].float_list.value.append(1.0)
    tfxio = tf_example_record.TFExampleBeamRecord(
        physical_format="inmem", schema=schema_from_spec(spec)
    )
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with (
        tempfile.TemporaryDirectory() as temporary,
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=temporary),
    ):
        batches = pipeline | beam.Create([example.SerializeToString()]) | tfxio.BeamSource()
        graph_of = (batches, tfxio.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"spec": SPEC})
        )
        _ = graph_of | tft_beam.WriteTransformFn(str(graph))


class Phases:
    """The peak memory and the time of phases, which may lie within each other.

    Attributes:
        peaks: the peak resident memory of each phase in bytes, by name. What runs in a phase within
            another counts for the inner one only.
        times_s: the seconds of each phase, phases within it included.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self.times_s: dict[str, float] = {}
        self._open = ["in between"]

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what runs in this context."""
        self._take_peak()
        self._open.append(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._take_peak()
            self._open.pop()
            self.times_s[name] = self.times_s.get(name, 0.0) + time.perf_counter() - began

    def of(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is a phase."""

        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            with self.phase(name):
                return function(*arguments, **named)

        return measured

    def _take_peak(self) -> None:
        name = self._open[-1]
        self.peaks[name] = max(self.peaks.get(name, 0), _peak_bytes())
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets VmHWM back


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM: this benchmark runs on Linux only")


def train(folder: Path, day: int) -> None:
    """Train the model of a day and report the peaks of its phases."""
    from trainer.fit import training
    from trainer.fit.multi_task_ranker import MultiTaskRanker
    from trainer.inputs.training_job import TrainingJob
    from trainer.settings.train_config import parse_settings

    import tensorflow as tf  # isort: skip  after the trainer chose the Keras dialect
    import tensorflow_transform as tft  # isort: skip

    phases = Phases()
    for name, function in (
        ("warm start", "begin_with"),
        ("training", "fit"),
        ("export", "export"),
        ("weights for a warm start", "save_weights"),
    ):
        setattr(training, function, phases.of(name, getattr(training, function)))
    for kind, function, name in (
        (tf.train.CheckpointManager, "save", "checkpoint"),
        (tf.train.Checkpoint, "restore", "checkpoint"),
        (tft.TFTransformOutput, "transform_features_layer", "export"),
    ):
        setattr(kind, function, phases.of(name, getattr(kind, function)))
    compile_model = MultiTaskRanker.compile_for_training
    sizes: list[int] = []

    def compile_and_measure(model: MultiTaskRanker) -> None:
        compile_model(model)
        variables = [*model.network.embedding_tables, *model.optimizer.variables()]
        sizes.append(sum(one.dtype.size * one.shape.num_elements() for one in variables))

    MultiTaskRanker.compile_for_training = compile_and_measure  # type: ignore[method-assign]
    own = folder / f"day_{day}"
    trainer = {"batch_size": BATCH_SIZE, "epochs": 2, "materialize_transform": True}
    settings = parse_settings({"name": "ple"}, trainer)
    job = TrainingJob(
        spec=SPEC,
        settings=settings,
        train_files=[str(own / "train.gz")],
        validation_files=[str(own / "validation.gz")],
        transform_graph=str(own / "transform"),
        checkpoints=str(own / "checkpoints"),
        model=str(own / "model" / "Format-Serving"),
        curves=str(own / "curves"),
        base_model=str(folder / f"day_{day - 1}" / "model" / "Format-Serving") if day > 1 else None,
        span="{}",
    )
    shutil.rmtree(own / "model", ignore_errors=True)
    training.train(job)
    report({
        "table_and_slots_bytes": sizes[0],
        "peak_bytes": phases.peaks,
        "time_s": phases.times_s,
    })  # fmt: skip


if __name__ == "__main__":
    way, folder, *numbers = sys.argv[1:]
    {"prepare": prepare, "train": train}[way](Path(folder), *map(int, numbers))
