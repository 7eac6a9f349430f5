"""The settings of each model. Importing this module does not load TensorFlow.

The keys of a model's settings are the arguments of its class, except those that all models have. A
new model needs its class in `trainer/models/` and its settings and name here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat

from feature_spec.strict_model import PositiveInt, Text
from trainer.settings.model_settings import ModelSettings

Groups = list[Annotated[list[Text], pydantic.Field(min_length=1)]]
Units = Annotated[list[PositiveInt], pydantic.Field(min_length=1)]


class SingleTaskSettings(ModelSettings):
    """One network for each task, with nothing shared: the baseline of the MTL gain (PLE, Eq 11).

    Attributes:
        bottom_units: layers of each task's bottom.
    """

    architecture = "trainer.models.bottoms:SingleTask"

    bottom_units: Units = [128]

    def numbers_of_a_row(self, width: int, fields: Collection[str], tasks: int) -> int:
        """Return how many numbers a row takes in the tables of all tasks."""
        return tasks * super().numbers_of_a_row(width, fields, tasks)


class SharedBottomSettings(ModelSettings):
    """Hard parameter sharing: one bottom, and a tower for each task (Caruana 1997; PLE, Fig 1a).

    Attributes:
        bottom_units: layers of the bottom.
    """

    architecture = "trainer.models.bottoms:SharedBottom"

    bottom_units: Units = [256]


class AsymmetricSettings(ModelSettings):
    """Asymmetric sharing: each task also reads the bottoms of the tasks before it (PLE, Fig 1b).

    Attributes:
        bottom_units: layers of each bottom.
        combine: how a tower reads several bottoms: `concat`, `sum` or `average`.
    """

    architecture = "trainer.models.bottoms:Asymmetric"

    bottom_units: Units = [128]
    combine: Literal["concat", "sum", "average"] = "concat"


class CustomizedSettings(ModelSettings):
    """Customized sharing: each tower reads a shared bottom and one of its own (PLE, Fig 1c).

    Attributes:
        bottom_units: layers of each bottom.
    """

    architecture = "trainer.models.bottoms:Customized"

    bottom_units: Units = [128]


class CrossStitchSettings(ModelSettings):
    """Cross-stitch networks: task layers, mixed linearly after each layer (Misra et al. 2016).

    Attributes:
        units: layers of each task.
        per_channel: whether each unit has a mixture of its own rather than one a layer.
        own_share: initial weight of a task's own layer; the rest is spread over the others.
    """

    architecture = "trainer.models.cross_stitch:CrossStitch"

    units: Units = [128, 64]
    per_channel: bool = False
    own_share: Annotated[float, pydantic.Field(gt=0.0, le=1.0)] = 0.9


class SluiceSettings(ModelSettings):
    """Sluice networks: mixtures of subspaces between tasks, and of layers (Ruder et al. 2019).

    Attributes:
        layers: number of layers of each task.
        units: units of each layer: even, for two subspaces.
        initial_mixture: `balanced` (every subspace alike) or `imbalanced` (.95 for a subspace
            itself).
        orthogonality: weight of the penalty that holds a layer's subspaces apart.
    """

    architecture = "trainer.models.sluice:Sluice"

    layers: PositiveInt = 2
    units: Annotated[int, pydantic.Field(ge=2, multiple_of=2)] = 64
    initial_mixture: Literal["balanced", "imbalanced"] = "imbalanced"
    orthogonality: NonNegativeFloat = 1e-3


class FormOfExperts(ModelSettings):
    """The settings of models whose experts may have the form of HoME's (Wang et al., KDD 2025).

    Attributes:
        expert_activation: `relu`, or HoME's `swish`, by which no expert is 0.
        expert_norm: `none`, or `rms`: each expert's units are normalised before the activation,
            row by row, so that all experts are alike in size (HoME).
        feature_gate_rank: r of HoME's feature gates, by which each expert of the first level reads
            x ⊙ 2σ(x B A), with B A of rank r; 0 for none.
    """

    expert_activation: Literal["relu", "swish"] = "relu"
    expert_norm: Literal["none", "rms"] = "none"
    feature_gate_rank: Annotated[int, pydantic.Field(ge=0)] = 0


class MMoESettings(FormOfExperts):
    """Multi-gate Mixture-of-Experts (Ma et al., KDD 2018).

    Attributes:
        experts: E, the number of experts, all shared.
        expert_units: layers of each expert.
    """

    architecture = "trainer.models.mmoe:MMoE"

    experts: PositiveInt = 8
    expert_units: Units = [64]


class MLMMoESettings(ModelSettings):
    """Multi-level MMoE, whose gates all read the raw input (PLE, section 5.1.3).

    Attributes:
        levels: L, the number of levels.
        experts: E, the number of experts of each level, all shared.
        expert_units: layers of each expert.
    """

    architecture = "trainer.models.mmoe:MLMMoE"

    levels: Annotated[int, pydantic.Field(ge=2)] = 2
    experts: PositiveInt = 8
    expert_units: Units = [64]


class CGCSettings(FormOfExperts):
    """Customized Gate Control: PLE with one level (Tang et al., RecSys 2020, Eq 2–5).

    Attributes:
        task_experts: m_k, the number of own experts of each task, and of each group of tasks.
        shared_experts: m_s, the number of shared experts.
        expert_units: layers of each expert; the paper's have one.
        self_gate: whether a task adds its own experts once more, weighed by a gate of their own
            (HoME).
        task_groups: lists of tasks that share experts with each other, such as
            `[[click, like], [long_view, watch_ratio]]` (HoME); null for none.
    """

    architecture = "trainer.models.ple:CGC"

    task_experts: PositiveInt = 2
    shared_experts: PositiveInt = 2
    expert_units: Units = [64]
    self_gate: bool = False
    task_groups: Groups | None = None

    @pydantic.field_validator("task_groups", mode="after")
    @classmethod
    def _tasks_in_one_group_each(cls, groups: Groups | None) -> Groups | None:
        if groups is None:
            return None
        if len(groups) < 2:
            raise ValueError(
                "there must be at least 2 groups; one of all tasks is what 'shared_experts' are for"
            )
        tasks = [task for group in groups for task in group]
        twice = [task for task in dict.fromkeys(tasks) if tasks.count(task) > 1]
        if twice:
            raise ValueError(f"a task belongs to one group. In several: {', '.join(twice)}")
        return groups

    @property
    def named_tasks(self) -> dict[str, list[str]]:
        """The tasks of `task_groups`."""
        if self.task_groups is None:
            return {}
        return {"task_groups": [task for group in self.task_groups for task in group]}

    def arguments_for(self, tasks: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of the model's class, with the groups of these tasks alone."""
        if self.task_groups is None:
            return self.arguments
        left = [[task for task in group if task in tasks] for group in self.task_groups]
        positions = [[tasks.index(task) for task in group] for group in left if group]
        return {**self.arguments, "task_groups": positions}


class PLESettings(CGCSettings):
    """Progressive Layered Extraction: levels of CGC (Tang et al., RecSys 2020, Eq 6–7).

    Attributes:
        levels: L, the number of levels.
        task_experts: m_k, the number of own experts of each task on each level.
        shared_experts: m_s, the number of shared experts on each level.
        expert_units: layers of each expert; the paper's have one.
        task_groups: lists of tasks, such as `[[click, like], [long_view, watch_ratio]]` (HoME): all
            levels but the last then work for groups, and the last has experts of groups, too;
            null for none.
    """

    architecture = "trainer.models.ple:PLE"

    levels: PositiveInt = 2


class TaskTableSettings(ModelSettings):
    """The settings of models with embeddings of each task's own.

    Attributes:
        task_fields: the fields of which each task has embeddings of its own, such as the ids of
            user and item; null for all that have rows of a table.
        task_width: d, the width of a task's embedding of a field, at most that of the shared one;
            null for the width of the shared one, as in the paper.
    """

    task_fields: Annotated[list[str], pydantic.Field(min_length=1)] | None = None
    task_width: PositiveInt | None = 4

    @pydantic.field_validator("task_fields")
    @classmethod
    def _each_field_once(cls, fields: list[str] | None) -> list[str] | None:
        twice = sorted({name for name in fields or [] if (fields or []).count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(map(repr, twice))} more than once")
        return fields

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the model's class."""
        own = ("task_fields", "task_width")
        return {key: value for key, value in super().arguments.items() if key not in own}

    @property
    def named_fields(self) -> dict[str, list[str]]:
        """The fields of a spec that these settings name, by the path of the setting."""
        return {**super().named_fields, "task_fields": self.task_fields or []}

    @property
    def named_tables(self) -> set[str]:
        """The settings of `named_fields` whose fields must have rows of a table."""
        return {"task_fields"}

    def numbers_of_a_row(self, width: int, fields: Collection[str], tasks: int) -> int:
        """Return how many numbers a row takes in the shared table and in that of the tasks."""
        shared = super().numbers_of_a_row(width, fields, tasks)
        if self.task_fields is not None and not set(self.task_fields) & set(fields):
            return shared
        return shared + tasks * min(width, self.task_width or width)


class STEMSettings(TaskTableSettings):
    """STEM-Net: embeddings of each task's own beside shared ones (Su et al., AAAI 2024).

    Attributes:
        task_experts: m_k, the number of experts of each task, on its own embeddings.
        shared_experts: m_s, the number of shared experts, on the shared embeddings.
        expert_units: layers of each expert.
        gate_units: hidden layers of each gate.
    """

    architecture = "trainer.models.stem:STEM"

    task_experts: PositiveInt = 2
    shared_experts: PositiveInt = 2
    expert_units: Units = [64]
    gate_units: Units = [64]


class AdaTTSettings(ModelSettings):
    """Adaptive Task-to-Task Fusion: tasks mix all tasks' experts (Li et al., KDD 2023).

    Attributes:
        levels: L, the number of levels.
        task_experts: m, the number of experts of each task on each level.
        shared_experts: m_s, the number of shared experts on each level; 0 is the paper's AdaTT-sp.
        expert_units: layers of each expert.
    """

    architecture = "trainer.models.adatt:AdaTT"

    levels: PositiveInt = 2
    task_experts: PositiveInt = 2
    shared_experts: Annotated[int, pydantic.Field(ge=0)] = 0
    expert_units: Units = [64]


class DSelectKSettings(ModelSettings):
    """Mixture of experts with static gates that choose k experts a task (Hazimeh et al. 2021).

    Attributes:
        experts: E, the number of experts, all shared.
        units: U, the units of each expert.
        selected: k, the most experts that a task reads.
        smoothness: γ, the width of the smooth step, outside of which a choice is final.
        entropy: λ, the weight of the entropy of the choices in the loss.
        entropy_steps: the steps in which the weight of the entropy rises from 0 to λ.
    """

    architecture = "trainer.models.dselect_k:DSelectK"

    experts: Annotated[int, pydantic.Field(ge=2)] = 8
    units: PositiveInt = 64
    selected: PositiveInt = 2
    smoothness: PositiveFloat = 1.0
    entropy: NonNegativeFloat = 0.05
    entropy_steps: PositiveInt = 1000

    @pydantic.field_validator("selected")
    @classmethod
    def _no_more_than_there_are(cls, value: int, info: pydantic.ValidationInfo) -> int:
        if value > info.data.get("experts", value):
            raise ValueError(f"there are only {info.data['experts']} experts to select from")
        return value


class SNRTransSettings(ModelSettings):
    """Sub-network routing: a matrix and a hard-concrete gate a connection (Ma et al., AAAI 2019).

    Attributes:
        levels: levels of sub-networks.
        subnetworks: J, the number of sub-networks of each level.
        units: U, the units of each sub-network.
        l0: λ, the weight of the expected number of open gates in the loss.
    """

    architecture = "trainer.models.snr:SNRTrans"

    levels: PositiveInt = 1
    subnetworks: PositiveInt = 6
    units: PositiveInt = 64
    l0: NonNegativeFloat = 1e-4


class SNRAverSettings(SNRTransSettings):
    """Sub-network routing: a hard-concrete gate a connection, no matrix (Ma et al., AAAI 2019).

    Attributes:
        levels: levels of sub-networks.
        subnetworks: J, the number of sub-networks of each level.
        units: U, the units of each sub-network.
        l0: λ, the weight of the expected number of open gates in the loss.
    """

    architecture = "trainer.models.snr:SNRAver"


class MSSMSettings(ModelSettings):
    """Multiple-level Sparse Sharing: tasks choose fields and share cells (Ding et al. 2021).

    Attributes:
        units: U, the units of each sub-network; there is one for each task and a shared one.
        field_sparsity: whether each sub-network masks fields (FSCM). MSSM-a does not.
        masks: `biased`: each mask has a bias, sub-networks begin with queries of their own, and
            values that all sub-networks mask still learn; or `paper`: as MSSM's Eq 3 has them.
        cell_sparsity: whether each output unit of a connection has a gate (CSSM). In MSSM-b it has
            not.
        l2: λ1, the weight of the squared weights of the matrices in the loss.
        l0: λ2, the weight of the expected number of open gates in the loss.
    """

    architecture = "trainer.models.mssm:MSSM"
    # A training of a few hundred steps has to take gates and masks from open to closed.
    trainer_defaults = MappingProxyType({"coefficient_learning_rate": 0.03})

    units: PositiveInt = 64
    field_sparsity: bool = True
    masks: Literal["biased", "paper"] = "biased"
    cell_sparsity: bool = True
    l2: NonNegativeFloat = 1e-5
    l0: NonNegativeFloat = 2e-3


# Every model, by the name that a feature spec gives it.
MODELS: dict[str, type[ModelSettings]] = {
    "single_task": SingleTaskSettings,
    "shared_bottom": SharedBottomSettings,
    "asymmetric": AsymmetricSettings,
    "customized": CustomizedSettings,
    "cross_stitch": CrossStitchSettings,
    "sluice": SluiceSettings,
    "mmoe": MMoESettings,
    "ml_mmoe": MLMMoESettings,
    "dselect_k": DSelectKSettings,
    "cgc": CGCSettings,
    "ple": PLESettings,
    "stem": STEMSettings,
    "adatt": AdaTTSettings,
    "snr_aver": SNRAverSettings,
    "snr_trans": SNRTransSettings,
    "mssm": MSSMSettings,
}
