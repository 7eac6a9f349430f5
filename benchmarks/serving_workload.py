"""The model and the requests of the serving benchmark.

The model is an untrained PLE over 30 user and 20 item fields, exported as in production.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import ple_workload as ple

FIELDS_OF = {"user": 30, "item": 20}
# Every fifth field is a number.
NUMBER_EVERY = 5
VALUES = 1000
LEARNT_ROWS = 3000
MODEL = "benchmark"


def is_number(position: int) -> bool:
    """Return whether the field at this place of its side is a number, not a category."""
    return position % NUMBER_EVERY == NUMBER_EVERY - 1


def fields() -> dict[str, dict[str, Any]]:
    """Return the fields of the spec."""
    result = {}
    for side, count in FIELDS_OF.items():
        for position in range(count):
            kind = (
                {"kind": "numeric"}
                if is_number(position)
                else {"kind": "categorical", "width": ple.WIDTH}
            )
            result[f"{side}_{position}"] = {"side": side, **kind}
    return result


def spec_text(candidate_counts: list[int]) -> str:
    """Return the feature spec as JSON."""
    task = {
        "kind": "binary",
        "label": {"rule": "event", "column": "x"},
        "metric": "auc",
        "threshold": 0.5,
        "tolerance": 0.1,
    }
    tasks = [f"task_{number}" for number in range(ple.TASKS)]
    return json.dumps({
        "name": MODEL,
        "logs": {"exposures": {"path": "x", "format": "jsonl"}},
        "split": {"evaluation_files": ["x"]},
        "fields": fields(),
        "tasks": dict.fromkeys(tasks, task),
        "ranking_formula": {"weights": dict.fromkeys(tasks, 1.0)},
        "serving": {"candidate_counts": candidate_counts},
    })  # fmt: skip


def drawn(side: str, rows: int, seed: int) -> dict[str, np.ndarray]:
    """Draw the raw fields of a side, (rows,) each."""
    random = np.random.default_rng(seed)
    result = {}
    for name, field in fields().items():
        if field["side"] == side:
            if field["kind"] == "numeric":
                result[name] = random.normal(size=rows).astype(np.float32)
            else:
                result[name] = np.array(
                    [f"value_{value}" for value in random.integers(0, VALUES, rows)], object
                )
    return result


def examples(user: dict[str, np.ndarray], items: dict[str, np.ndarray]) -> list[bytes]:
    """Return serialised tf.Examples (C,) of C items with one user, or with a user each."""
    import tensorflow as tf

    rows = len(next(iter(items.values())))
    result = []
    for row in range(rows):
        example = tf.train.Example()
        for name, values in (user | items).items():
            value = values[row if len(values) == rows else 0]
            feature = example.features.feature[name]
            if isinstance(value, str):
                feature.bytes_list.value.append(value.encode())
            else:
                feature.float_list.value.append(float(value))
        result.append(example.SerializeToString())
    return result


def product_shapes(candidates: int) -> list[tuple[int, int, int]]:
    """Return rows, inner size and columns of each matrix product of a ranking request."""
    sizes = {
        side: sum(1 if is_number(place) else ple.WIDTH for place in range(count))
        for side, count in FIELDS_OF.items()
    }
    experts = ple.TASKS * ple.TASK_EXPERTS + ple.SHARED_EXPERTS
    units, of_module = ple.EXPERT_UNITS, ple.TASK_EXPERTS * ple.EXPERT_UNITS
    return [
        (1, sizes["user"], experts * units),
        (candidates, sizes["item"], experts * units),
        *[(candidates, units, of_module)] * (ple.TASKS + 1),
        *[(candidates, units, ple.TOWER_UNITS)] * ple.TASKS,
    ]


def export_models(
    folder: Path,
    candidate_counts: list[int],
    *,
    xla: bool,
    tables: Literal["float32", "float16", "int8"] = "float32",
) -> None:
    """Learn the transform graph and export an untrained PLE twice.

    The trainer's own code exports it to `model`. The export `naive` has the same network behind a
    signature that reads the fields of the user once a candidate.
    """
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tfx_bsl.tfxio import tf_example_record

    from feature_spec import names
    from feature_spec.feature_layout import vocabulary_file
    from feature_spec.loading import parse_spec
    from pipeline.transform.preprocessing import preprocessing_fn
    from pipeline.validate.schema import schema_from_spec
    from trainer.export.ranking_score import ranking_score
    from trainer.export.request_signature import parsed_fields, parsed_labels
    from trainer.export.saved_model import export
    from trainer.inputs.transform_graph import TransformGraph
    from trainer.network.network import Network
    from trainer.network.network_layout import network_layout
    from trainer.settings.train_config import parse_settings

    text = spec_text(candidate_counts)
    spec = parse_spec(text)
    labels = {
        name(task): np.ones(LEARNT_ROWS, np.float32)
        for task in spec.tasks
        for name in (names.label_name, names.mask_name)
    }
    rows = examples(drawn("user", LEARNT_ROWS, 1), drawn("item", LEARNT_ROWS, 2) | labels)
    tfxio = tf_example_record.TFExampleBeamRecord(
        physical_format="inmem", schema=schema_from_spec(spec)
    )
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "temp")),
    ):
        read = pipeline | beam.Create(rows) | tfxio.BeamSource()
        transform_fn = (read, tfxio.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"spec": text})
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))
    transform = tft.TFTransformOutput(str(folder / "transform"))
    sizes = {
        vocabulary_file(ple.WIDTH): transform.vocabulary_size_by_name(vocabulary_file(ple.WIDTH))
    }
    settings = parse_settings(
        {
            "name": "ple",
            "levels": ple.LEVELS,
            "task_experts": ple.TASK_EXPERTS,
            "shared_experts": ple.SHARED_EXPERTS,
            "expert_units": [ple.EXPERT_UNITS],
            "tower_units": [ple.TOWER_UNITS],
        },
        {},
    )
    network = Network(network_layout(spec, sizes), settings)
    layer = transform.transform_features_layer()
    network(layer({**parsed_fields(spec, rows[:2]), **parsed_labels(spec, rows[:2])}))
    graph = TransformGraph(transform.transform_savedmodel_dir)
    export(spec, text, network, graph, folder / "model", xla=xla, tables=tables)

    class Naive(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.transform = network, layer

        @tf.function
        def score(self, fields: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            scores = self.network.scores(self.network(self.transform(fields)))
            weights = {
                task: tf.constant(weight) for task, weight in spec.ranking_formula.weights.items()
            }
            return scores | {
                names.RANKING_SCORE: ranking_score(spec.ranking_formula, scores, weights)
            }

    naive = Naive()
    types = {
        name: tf.float32 if field["kind"] == "numeric" else tf.string
        for name, field in fields().items()
    }
    inputs = {name: tf.TensorSpec([None], dtype, name) for name, dtype in types.items()}
    tf.saved_model.save(
        naive, str(folder / "naive"), signatures=naive.score.get_concrete_function(inputs)
    )
