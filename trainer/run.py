"""`run_fn`: what the pipeline's Trainer calls, by import path."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import tensorflow_transform as tft

from feature_spec.loading import parse_spec
from feature_spec.packing import Packing, vocabulary_file
from trainer.dataset import transformed_batches
from trainer.export import export
from trainer.fitting import fit
from trainer.network_layout import network_layout
from trainer.settings import load_settings


def run_fn(fn_args: Any) -> None:
    """Trains on transformed examples and exports the SavedModel.

    Args:
        fn_args: TFX's. Its `custom_config` holds `spec`, the spec's text; `settings`, JSON of `trainer.settings.Settings`; and
            `checkpoint_folder`, which outlives a killed run.
    """
    config = fn_args.custom_config
    spec, settings = parse_spec(config["spec"]), load_settings(config["settings"])
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    packing = Packing(spec)
    files = [vocabulary_file(width) for width in packing.widths if packing.has_vocabulary(width)]
    vocabularies = {file: transform.vocabulary_by_name(file) for file in files}
    features = transform.transformed_feature_spec()
    batch_size = settings.trainer.batch_size
    checkpoints = _checkpoint_folder(config, fn_args)
    network = fit(
        network_layout(spec, {file: len(entries) for file, entries in vocabularies.items()}),
        spec.tasks,
        settings,
        transformed_batches(fn_args.train_files, features, batch_size, shuffle_seed=settings.trainer.seed),
        transformed_batches(fn_args.eval_files, features, 4 * batch_size),
        checkpoint_folder=checkpoints,
        tensorboard_folder=Path(fn_args.model_run_dir),
    )
    layer = transform.transform_features_layer()
    export(
        spec,
        config["spec"],
        network,
        layer,
        Path(fn_args.serving_model_dir),
        vocabularies=vocabularies,
        half_precision=settings.trainer.export_dtype == "bfloat16",
    )
    # What was trained is exported; a later run with the same inputs begins anew.
    shutil.rmtree(checkpoints)


def _checkpoint_folder(config: dict[str, Any], fn_args: Any) -> Path:
    """A folder of the run's own: only a run over the same examples with the same settings may go on from its checkpoints."""
    inputs = [config["spec"], config["settings"], *fn_args.train_files, *fn_args.eval_files, fn_args.transform_graph_path]
    key = hashlib.sha256("\n".join(map(str, inputs)).encode()).hexdigest()[:16]
    folder = Path(config["checkpoint_folder"]) / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder
