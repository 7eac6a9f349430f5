"""Settings of each model, with its paper. Importing this does not load TensorFlow."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import NonNegativeFloat, PositiveInt

from feature_spec.strict_model import StrictModel

Units = Annotated[list[PositiveInt], pydantic.Field(min_length=1)]
DropoutRate = Annotated[float, pydantic.Field(ge=0.0, lt=1.0)]


class ModelSettings(StrictModel):
    """What every model has.

    Attributes:
        tower_units: hidden units of each task's tower.
        dropout_rate: share of units dropped in experts, bottoms and towers while training; gates
            have no dropout.
    """

    tower_units: list[PositiveInt] = [64, 32]
    dropout_rate: DropoutRate = 0.0


class SingleTaskSettings(ModelSettings):
    """One network a task, nothing shared: what multi-task learning is measured against (PLE, Eq 11).

    Attributes:
        bottom_units: layers of each task's bottom.
    """

    bottom_units: Units = [128]


class SharedBottomSettings(ModelSettings):
    """Hard parameter sharing: one bottom, a tower a task (Caruana 1997; PLE, Fig 1a).

    Attributes:
        bottom_units: layers of the bottom.
    """

    bottom_units: Units = [256]


class AsymmetricSettings(ModelSettings):
    """Asymmetric sharing: a bottom a task; a task also sees the bottoms of the tasks before it in the spec (PLE, Fig 1b).

    Attributes:
        bottom_units: layers of each bottom.
        combine: how a tower takes several bottoms: `concat`, `sum` or `average`.
    """

    bottom_units: Units = [128]
    combine: Literal["concat", "sum", "average"] = "concat"


class CustomizedSettings(ModelSettings):
    """Customized sharing: a shared bottom and one of its own, concatenated, for each tower (PLE, Fig 1c).

    Attributes:
        bottom_units: layers of each bottom.
    """

    bottom_units: Units = [128]


class CrossStitchSettings(ModelSettings):
    """Cross-stitch networks: task layers, mixed linearly after each layer (Misra et al., CVPR 2016).

    Attributes:
        units: layers of each task.
        per_channel: whether each unit has a mixture of its own rather than one a layer.
        own_share: initial weight of a task's own layer; the rest is spread over the others.
    """

    units: Units = [128, 64]
    per_channel: bool = False
    own_share: Annotated[float, pydantic.Field(gt=0.0, le=1.0)] = 0.9


class SluiceSettings(ModelSettings):
    """Sluice networks: subspaces of task layers mixed, and layers mixed into each tower (Ruder et al., AAAI 2019).

    Attributes:
        layers: number of layers of each task.
        units: units of each layer: even, for two subspaces.
        initial_mixture: `balanced` (every subspace alike) or `imbalanced` (.95 for a subspace
            itself).
        orthogonality: weight of the penalty that holds a layer's subspaces apart.
    """

    layers: PositiveInt = 2
    units: Annotated[int, pydantic.Field(ge=2, multiple_of=2)] = 64
    initial_mixture: Literal["balanced", "imbalanced"] = "imbalanced"
    orthogonality: NonNegativeFloat = 1e-3


class MMoESettings(ModelSettings):
    """Multi-gate Mixture-of-Experts (Ma et al., KDD 2018).

    Attributes:
        experts: E, all shared.
        expert_units: layers of each expert.
    """

    experts: PositiveInt = 8
    expert_units: Units = [64]


class MLMMoESettings(ModelSettings):
    """Multi-level MMoE: every gate reads the raw input (PLE, section 5.1.3).

    Attributes:
        levels: L.
        experts: E of each level, all shared.
        expert_units: layers of each expert.
    """

    levels: Annotated[int, pydantic.Field(ge=2)] = 2
    experts: PositiveInt = 8
    expert_units: Units = [64]


class CGCSettings(ModelSettings):
    """Customized Gate Control: PLE with one level (Tang et al., RecSys 2020, Eq 2–5).

    Attributes:
        task_experts: m_k, own experts of each task.
        shared_experts: m_s.
        expert_units: layers of each expert; the paper's have one.
    """

    task_experts: PositiveInt = 2
    shared_experts: PositiveInt = 2
    expert_units: Units = [64]


class PLESettings(CGCSettings):
    """Progressive Layered Extraction: levels of CGC (Tang et al., RecSys 2020, Eq 6–7).

    Attributes:
        levels: L, levels of extraction.
        task_experts: m_k, own experts of each task on each level.
        shared_experts: m_s, shared experts on each level.
        expert_units: layers of each expert; the paper's have one.
    """

    levels: PositiveInt = 2


class SNRTransSettings(ModelSettings):
    """Sub-network routing: a matrix and a hard-concrete gate a connection (Ma et al., AAAI 2019).

    Attributes:
        levels: levels of sub-networks.
        subnetworks: J of each level.
        units: U of each sub-network.
        l0: λ of the expected number of open gates in the loss.
    """

    levels: PositiveInt = 1
    subnetworks: PositiveInt = 6
    units: PositiveInt = 64
    l0: NonNegativeFloat = 1e-4


class SNRAverSettings(SNRTransSettings):
    """Sub-network routing: a hard-concrete gate a connection and no matrix (Ma et al., AAAI 2019).

    Attributes:
        levels: levels of sub-networks.
        subnetworks: J of each level.
        units: U of each sub-network.
        l0: λ of the expected number of open gates in the loss.
    """


class MSSMSettings(ModelSettings):
    """Multiple-level Sparse Sharing: tasks choose fields and share cells (Ding et al., SIGIR 2021).

    Attributes:
        units: U of each sub-network, one a task and a shared one.
        field_sparsity: whether each sub-network masks fields (FSCM); MSSM-a is without.
        cell_sparsity: whether each output unit of a connection has a gate (CSSM); MSSM-b is
            without.
        l2: λ1, of the squared weights of the matrices.
        l0: λ2, of the expected number of open gates.
    """

    units: PositiveInt = 64
    field_sparsity: bool = True
    cell_sparsity: bool = True
    l2: NonNegativeFloat = 1e-5
    l0: NonNegativeFloat = 2e-4


MODELS: dict[str, type[ModelSettings]] = {
    "single_task": SingleTaskSettings,
    "shared_bottom": SharedBottomSettings,
    "asymmetric": AsymmetricSettings,
    "customized": CustomizedSettings,
    "cross_stitch": CrossStitchSettings,
    "sluice": SluiceSettings,
    "mmoe": MMoESettings,
    "ml_mmoe": MLMMoESettings,
    "cgc": CGCSettings,
    "ple": PLESettings,
    "snr_aver": SNRAverSettings,
    "snr_trans": SNRTransSettings,
    "mssm": MSSMSettings,
}
