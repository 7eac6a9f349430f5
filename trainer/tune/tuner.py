"""The search for settings by KerasTuner, with Fulcrum's own training.

The pipeline's Tuner calls `tuner_fn` by import path.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from tfx.v1.components import TunerFnResult

from feature_spec.sections import SearchDimension, Tuner
from trainer.fit.fitting import fit, validation_metrics
from trainer.fit.single_tasks import fit_alone
from trainer.fit.validation_objectives import mtl_gain_shares, weighted_sum
from trainer.inputs.training_inputs import TrainingInputs, training_inputs
from trainer.inputs.training_job import TrainingJob
from trainer.network.network import Network
from trainer.settings.search_space import decoded, encoded, value_at, with_values
from trainer.settings.train_config import Settings, in_one_process

logger = logging.getLogger("fulcrum.trainer")

_OBJECTIVE = "objective"


def tuner_fn(fn_args: Any) -> TunerFnResult:
    """Make a search, which goes on from the finished trials of a killed run.

    Args:
        fn_args: the arguments of TFX. `custom_config` holds `spec`, the spec's text; `settings`,
            JSON of `trainer.settings.train_config.Settings`; `tuner`, JSON of
            `feature_spec.sections.Tuner`; `tuning_folder`, which keeps the trials of all
            searches; and `checkpoint_folder`, whose packed examples the Trainer reads, too.
    """
    config = fn_args.custom_config
    job = TrainingJob(
        spec=config["spec"],
        settings=Settings.model_validate_json(config["settings"]),
        train_files=list(map(str, fn_args.train_files)),
        validation_files=list(map(str, fn_args.eval_files)),
        transform_graph=str(fn_args.transform_graph_path),
        checkpoints=str(config["checkpoint_folder"]),
        model="",
        curves="",
    )
    tuner = Tuner.model_validate_json(config["tuner"])
    # More trials continue a search; any other change makes a new one.
    search = tuner.model_dump_json(exclude={"max_trials"})
    folder = (
        Path(config["tuning_folder"])
        / hashlib.sha256(f"{job.key}\n{search}".encode()).hexdigest()[:15]
    )
    return TunerFnResult(
        tuner=SettingsTuner(training_inputs(job), job.settings, tuner, folder),
        fit_kwargs={},
    )


class SettingsTuner(BaseTuner):
    """Trains with one choice of settings after another.

    The first choice is the spec's own settings, as far as the search space holds them.

    Args:
        inputs: examples to train on and to validate with.
        settings: the settings that the search changes.
        tuner: search space and objective.
        folder: keeps the finished trials, and the checkpoints of the current one.
    """

    def __init__(
        self, inputs: TrainingInputs, settings: Settings, tuner: Tuner, folder: Path
    ) -> None:
        self._inputs, self._settings, self._tuner, self._folder = (
            inputs,
            in_one_process(settings),
            tuner,
            folder,
        )
        super().__init__(
            _oracle(tuner, settings), directory=str(folder.parent), project_name=folder.name
        )

    def run_trial(self, trial: Trial, *_: Any, **__: Any) -> dict[str, float]:
        """Train with the settings of a trial and return the objective.

        Raises:
            keras_tuner.errors.FatalError: the training failed, as further trials would.
        """
        values = decoded(trial.hyperparameters.values)
        try:
            metrics = self._metrics(
                with_values(self._settings, values),
                Path(self.get_trial_dir(trial.trial_id)) / "checkpoints",
            )
            result, shown = self._objective(metrics)
        except Exception as error:
            raise keras_tuner.errors.FatalError(
                f"trial {trial.trial_id} with {values} failed: {error}"
            ) from error
        settings = ", ".join(f"{path}={json.dumps(value)}" for path, value in values.items())
        logger.info(
            "trial %s: %s %.5f (%s) with %s",
            trial.trial_id,
            self._tuner.objective,
            result,
            shown,
            settings,
        )
        return {_OBJECTIVE: result}

    def on_search_end(self) -> None:
        """Refuse to name a best trial if there is none.

        Raises:
            RuntimeError: no trial had a number as its objective.
        """
        if not any(trial.status == "COMPLETED" for trial in self.oracle.trials.values()):
            raise RuntimeError(
                "no trial had a number as its objective: is there a validation example of every "
                "task and label?"
            )

    def _metrics(self, settings: Settings, checkpoints: Path) -> dict[str, float]:
        """Train, and return each task's metric on the validation split in the best epoch."""
        tf.keras.backend.clear_session()
        train, validation = self._inputs.examples()
        tasks = self._inputs.spec.tasks
        network = fit(
            self._inputs.layout,
            tasks,
            settings,
            train,
            validation,
            negative_rates=self._inputs.spec.negative_rates(),
            checkpoint_folder=checkpoints,
        )
        metrics = validation_metrics(network, tasks, settings.trainer, validation)
        shutil.rmtree(checkpoints)
        return metrics

    def _objective(self, metrics: Mapping[str, float]) -> tuple[float, str]:
        """Return the objective, and a text of its parts."""
        tasks = self._inputs.spec.tasks
        if self._tuner.objective == "weighted_sum":
            shown = ", ".join(
                f"{name} {task.validation_metric} {metrics[name]:.4f}"
                for name, task in tasks.items()
            )
            return weighted_sum(tasks, metrics, self._tuner.weights), shown
        shares = mtl_gain_shares(tasks, metrics, self._alone())
        return min(shares.values()), ", ".join(
            f"{name} {share:+.2%}" for name, share in shares.items()
        )

    def _alone(self) -> dict[str, float]:
        """Return the metric of each task trained alone, once a search, with its first settings."""
        file = self._folder / "alone.json"
        known: dict[str, float] = (
            json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        )
        for name, task in self._inputs.spec.tasks.items():
            if name not in known:
                logger.info("%s alone:", name)
                checkpoints = self._folder / "alone" / name
                network: Network = fit_alone(
                    name,
                    self._inputs,
                    self._settings,
                    checkpoint_folder=checkpoints,
                )
                _, validation = self._inputs.examples()
                own = validation.of_task(list(self._inputs.spec.tasks).index(name))
                known |= validation_metrics(network, {name: task}, self._settings.trainer, own)
                file.write_text(json.dumps(known), encoding="utf-8")
                shutil.rmtree(checkpoints)
        return known


class _OwnSettingsFirst:
    """An oracle whose first trial has the defaults of the search space."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if not self.trials:  # type: ignore[attr-defined]
            space = self.hyperparameters.space  # type: ignore[attr-defined]
            return {
                "status": "RUNNING",
                "values": {dimension.name: dimension.default for dimension in space},
            }
        return super().populate_space(trial_id)  # type: ignore[misc]


class _BayesianOracle(_OwnSettingsFirst, keras_tuner.oracles.BayesianOptimizationOracle):
    pass


class _RandomOracle(_OwnSettingsFirst, keras_tuner.oracles.RandomSearchOracle):
    pass


def _oracle(tuner: Tuner, settings: Settings) -> keras_tuner.Oracle:
    space = keras_tuner.HyperParameters()
    for path, dimension in tuner.search.items():
        _declare(space, path, dimension, value_at(settings, path))
    kind = _BayesianOracle if tuner.algorithm == "bayesian" else _RandomOracle
    return kind(
        objective=keras_tuner.Objective(_OBJECTIVE, "max"),
        max_trials=tuner.max_trials,
        seed=tuner.seed,
        hyperparameters=space,
    )


def _declare(
    space: keras_tuner.HyperParameters, path: str, dimension: SearchDimension, own: Any
) -> None:
    if dimension.values is not None:
        values = encoded(dimension.values)
        own = json.dumps(own) if isinstance(values[0], str) else own
        space.Choice(path, values, default=own if own in values else None)
        return
    low, high = dimension.minimum, dimension.maximum
    declare = space.Int if isinstance(low, int) and isinstance(high, int) else space.Float
    declare(path, low, high, sampling=dimension.scale, default=own if low <= own <= high else None)
