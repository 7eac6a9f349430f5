"""The sections `model`, `trainer` and `tuner` of a spec, checked by the trainer's own settings.

The trainer is named by string, as the pipeline names it: its settings load no TensorFlow, and
`feature_spec` imports nothing of ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from feature_spec.feature_layout import SIDES, FeatureLayout
from feature_spec.histories.attention import model_inputs
from feature_spec.loading import SpecError
from feature_spec.sections import Tuner
from feature_spec.spec import FeatureSpec

_SETTINGS_MODULE = "trainer.settings.train_config"
# Ways to balance tasks whose losses may be below 0.
_BELOW_0 = ("none", "dwa", "pcgrad")
_SEARCH_MODULE = "trainer.settings.search_space"


def default_model() -> str:
    """Return the name of the model that a spec without `model.name` trains."""
    name: str = importlib.import_module(_SETTINGS_MODULE).DEFAULT_MODEL
    return name


def settings_problems(
    model: Mapping[str, Any],
    trainer: Mapping[str, Any],
    tuner: Tuner | None,
    inputs: Mapping[str, bool] | None = None,
    tasks: Sequence[str] | None = None,
) -> list[str]:
    """Return every mistake in these sections of a spec, each with its place.

    Args:
        model: the section `model`.
        trainer: the section `trainer`.
        tuner: the section `tuner`.
        inputs: what the model reads, see `model_inputs`; None if it is not known, because the rest
            of the spec has mistakes.
        tasks: the names of the tasks; None if they are not known.
    """
    module = importlib.import_module(_SETTINGS_MODULE)
    try:
        settings = module.parse_settings(model, trainer, inputs, tasks)
        if tuner is not None:
            importlib.import_module(_SEARCH_MODULE).check_search(tuner, settings, inputs, tasks)
    except module.SettingsError as error:
        return list(error.problems)
    return []


def chain_problems(spec: FeatureSpec) -> list[str]:
    """Return what the trainer's sections ask for that a loss of the spec cannot give.

    The loss of `escm2_dr` may be below 0 in a batch.
    """
    robust = [name for name, task in spec.tasks.items() if task.chain == "escm2_dr"]
    if not robust:
        return []
    asked = {"trainer.balancing": [spec.trainer.get("balancing", "none")]}
    if spec.tuner is not None:
        searched = spec.tuner.search.get("trainer.balancing")
        if searched is not None:
            asked["tuner.search.trainer.balancing"] = searched.values or []
    return [
        f"{place}: {method} needs losses that are never below 0, and that of tasks.{robust[0]} "
        "(chain: escm2_dr) may be in a batch; choose none, dwa or pcgrad, or chain: escm2_ips"
        for place, methods in asked.items()
        for method in methods
        if method not in _BELOW_0
    ]


def numbers_of_rows(spec: FeatureSpec) -> dict[int, int]:
    """Return how many numbers a row takes in all embedding tables of a training, by width D."""
    settings = importlib.import_module(_SETTINGS_MODULE).parse_settings(spec.model, spec.trainer)
    layout = FeatureLayout(spec)
    slots = [slot for side in SIDES for slot in layout.slots(side)]
    return {
        width: settings.model.numbers_of_a_row(
            width, [slot.name for slot in slots if slot.width == width], len(spec.tasks)
        )
        for width in layout.widths
    }


def checked_trainer_settings(spec: FeatureSpec) -> str:
    """Return JSON of the trainer's complete settings.

    Raises:
        SpecError: the spec's `model`, `trainer` or `tuner` section is wrong.
    """
    inputs = model_inputs(spec.served.fields, spec.histories)
    problems = settings_problems(spec.model, spec.trainer, spec.tuner, inputs, list(spec.tasks))
    problems += chain_problems(spec)
    if problems:
        raise SpecError("; ".join(problems), problems)
    settings = importlib.import_module(_SETTINGS_MODULE).parse_settings(spec.model, spec.trainer)
    text: str = settings.model_dump_json()
    return text
