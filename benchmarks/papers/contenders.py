"""Who takes part: every model of the registry and MSSM's ablations, each with the same settings to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feature_spec.strict_model import closest_names
from trainer.settings.model_config import MODELS
from trainer.settings.train_config import Settings, parse_settings

SINGLE_TASK = "single_task"
BOOSTING = "boosting"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A row of the tables.

    Attributes:
        model: of the registry.
        own: settings that make it what it is.
    """

    model: str
    own: Mapping[str, Any]

    def settings(
        self, base: Mapping[str, Any], setting: Mapping[str, Mapping[str, Any]], seed: int
    ) -> Settings:
        """Complete settings.

        Args:
            base: of the `trainer` part, the data set's.
            setting: one of those to choose from: values for the parts `model` and `trainer`.
            seed: of the run.
        """
        model = {"name": self.model, **setting.get("model", {}), **self.own}
        return parse_settings(model, {**base, **setting.get("trainer", {}), "seed": seed})


# Of about the width of MSSM's paper, where experts and sub-networks have 32 units.
_SIZES: dict[str, dict[str, Any]] = {
    "single_task": {"bottom_units": [64]},
    "shared_bottom": {"bottom_units": [128]},
    "asymmetric": {"bottom_units": [64]},
    "customized": {"bottom_units": [64]},
    "cross_stitch": {"units": [64, 32]},
    "sluice": {"layers": 2, "units": 32},
    "mmoe": {"experts": 8, "expert_units": [32]},
    "ml_mmoe": {"levels": 2, "experts": 8, "expert_units": [32]},
    "cgc": {"task_experts": 2, "shared_experts": 2, "expert_units": [32]},
    "ple": {"levels": 2, "task_experts": 2, "shared_experts": 2, "expert_units": [32]},
    "snr_aver": {"subnetworks": 6, "units": 32},
    "snr_trans": {"subnetworks": 6, "units": 32},
    "mssm": {"units": 32},
}
# MSSM, section 4.4: without FSCM, without CSSM, without both, which is SNR-Trans over K + 1
# sub-networks.
ABLATIONS = {
    "mssm_a": {"field_sparsity": False},
    "mssm_b": {"cell_sparsity": False},
    "mssm_basic": {"field_sparsity": False, "cell_sparsity": False},
}
CONTENDERS = {name: Contender(model=name, own=_SIZES[name]) for name in MODELS} | {
    name: Contender(model="mssm", own={**_SIZES["mssm"], **own}) for name, own in ABLATIONS.items()
}


def chosen_contenders(models: str) -> list[str]:
    """Names from the command line: `all`, or some with commas between them.

    Raises:
        ValueError: a name is no model's and no ablation's.
    """
    if models == "all":
        return list(CONTENDERS)
    chosen = [name.strip() for name in models.split(",")]
    for name in chosen:
        if name not in CONTENDERS:
            raise ValueError(f"--models: no such model {name!r}: {closest_names(name, CONTENDERS)}")
    return [name for name in CONTENDERS if name in chosen]


def task_groups(contender: str, tasks: Sequence[str]) -> list[list[str]]:
    """Tasks that are trained together: all, or each alone for the single-task model.

    Its networks share nothing, so training them at once differs in one thing only: when they stop.
    """
    return [[task] for task in tasks] if contender == SINGLE_TASK else [list(tasks)]
