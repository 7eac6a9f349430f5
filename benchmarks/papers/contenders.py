"""The contenders: every model of the registry, variants of some, and their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from feature_spec.strict_model import closest_names
from trainer.settings.model_config import MODELS
from trainer.settings.train_config import Settings, parse_settings

SINGLE_TASK = "single_task"
BOOSTING = "boosting"

# Every network chooses one of these by the validation part of its first seed: values for the
# parts `model` and `trainer` of its settings.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "slow": {"trainer": {"learning_rate": 0.001}},
    "fast": {"trainer": {"learning_rate": 0.003}},
}
# Gradient boosting has as many to choose from: arguments of scikit-learn's HistGradientBoosting.
BOOSTING_SETTINGS: dict[str, dict[str, Any]] = {
    "slow": {
        "max_iter": 1000,
        "learning_rate": 0.05,
        "max_leaf_nodes": 15,
        "l2_regularization": 1.0,
    },
    "fast": {"max_iter": 500, "learning_rate": 0.1},
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A contender, which is a row of the tables.

    Attributes:
        model: the name of a model in the registry.
        own: the model settings that define the contender.
        trainer: the trainer settings that do.
        variant: whether it is a variant of its model, which takes over that model's setting.
        names_fields: whether the data set gives settings of its own, because they name its fields.
    """

    model: str
    own: Mapping[str, Any]
    trainer: Mapping[str, Any] = field(default_factory=dict)
    variant: bool = False
    names_fields: bool = False

    def settings(
        self,
        base: Mapping[str, Any],
        setting: Mapping[str, Mapping[str, Any]],
        seed: int,
        named: Mapping[str, Any] = MappingProxyType({}),
    ) -> Settings:
        """Return the complete settings of a run.

        Args:
            base: values for the part `trainer` that belong to the data set.
            setting: one of `SETTINGS`, with values for the parts `model` and `trainer`.
            seed: the seed of the run.
            named: model settings of the contender that name fields of the data set.
        """
        model = {"name": self.model, **setting.get("model", {}), **self.own, **named}
        trainer = {**base, **setting.get("trainer", {}), **self.trainer, "seed": seed}
        return parse_settings(model, trainer)


# Widths are about those of the MSSM paper, where experts and sub-networks have 32 units.
_SIZES: dict[str, dict[str, Any]] = {
    "single_task": {"bottom_units": [64]},
    "shared_bottom": {"bottom_units": [128]},
    "asymmetric": {"bottom_units": [64]},
    "customized": {"bottom_units": [64]},
    "cross_stitch": {"units": [64, 32]},
    "sluice": {"layers": 2, "units": 32},
    "mmoe": {"experts": 8, "expert_units": [32]},
    "ml_mmoe": {"levels": 2, "experts": 8, "expert_units": [32]},
    "dselect_k": {"experts": 8, "units": 32},
    "cgc": {"task_experts": 2, "shared_experts": 2, "expert_units": [32]},
    "ple": {"levels": 2, "task_experts": 2, "shared_experts": 2, "expert_units": [32]},
    "stem": {"task_experts": 2, "shared_experts": 2, "expert_units": [32], "gate_units": [32]},
    "adatt": {"levels": 2, "task_experts": 2, "expert_units": [32]},
    "snr_aver": {"subnetworks": 6, "units": 32},
    "snr_trans": {"subnetworks": 6, "units": 32},
    "mssm": {"units": 32},
}
# The ablations of MSSM, section 4.4: without FSCM, without CSSM, and without both. The last is
# SNR-Trans over K + 1 sub-networks. And MSSM with the masks that the paper prints.
ABLATIONS = {
    "mssm_paper": {"masks": "paper"},
    "mssm_a": {"field_sparsity": False},
    "mssm_b": {"cell_sparsity": False},
    "mssm_basic": {"field_sparsity": False, "cell_sparsity": False},
}
_HOME = {"expert_activation": "swish", "expert_norm": "rms", "feature_gate_rank": 8}
# What can be put into or around a model, tried with MMoE and PLE.
OPTIONS = {
    "mmoe_home": Contender(model="mmoe", own=_HOME),
    "ple_home": Contender(model="ple", own={**_HOME, "self_gate": True}),
    "ple_pepnet": Contender(model="ple", own={}, names_fields=True),
    "ple_crossed": Contender(model="ple", own={"cross_layers": 2}),
    "ple_famo": Contender(model="ple", own={}, trainer={"balancing": "famo"}),
    "ple_stch": Contender(model="ple", own={}, trainer={"balancing": "stch"}),
}
CONTENDERS = (
    {name: Contender(model=name, own=_SIZES[name]) for name in MODELS}
    | {
        name: Contender(model="mssm", own={**_SIZES["mssm"], **own}, variant=True)
        for name, own in ABLATIONS.items()
    }
    | {
        name: replace(option, own={**_SIZES[option.model], **option.own}, variant=True)
        for name, option in OPTIONS.items()
    }
)


def chosen_contenders(models: str) -> list[str]:
    """Return the contenders of a text from the command line: `all`, or names between commas.

    Raises:
        ValueError: a name belongs to no contender.
    """
    if models == "all":
        return list(CONTENDERS)
    chosen = [name.strip() for name in models.split(",")]
    for name in chosen:
        if name not in CONTENDERS:
            raise ValueError(f"--models: no such model {name!r}: {closest_names(name, CONTENDERS)}")
    return [name for name in CONTENDERS if name in chosen]


def chosen_settings(names: str) -> list[str]:
    """Return the settings of a text from the command line: names between commas.

    Raises:
        ValueError: there is no such setting.
    """
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in SETTINGS:
            raise ValueError(
                f"--settings: no such setting {name!r}: {closest_names(name, SETTINGS)}"
            )
    return [name for name in SETTINGS if name in chosen]


def task_groups(contender: str, tasks: Sequence[str]) -> list[list[str]]:
    """Return the groups of tasks that are trained together.

    The single-task model trains each task alone, and all other models train all tasks together. The
    networks of the single-task model share nothing, so training them together would change only
    when they stop.
    """
    return [[task] for task in tasks] if contender == SINGLE_TASK else [list(tasks)]
