"""What a trained model shows of its inside, as data. Importing this does not load TensorFlow."""

from __future__ import annotations

from typing import ClassVar

import pydantic

# Where an exported model keeps its `InspectionGuide`.
INSPECTION_FILE = "assets.extra/inspection.json"


class _Part(pydantic.BaseModel):
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(frozen=True, extra="forbid")


class ExpertWeight(_Part):
    """What a gate gives one expert, over the examples."""

    expert: str
    mean: float
    standard_deviation: float


class Gate(_Part):
    """A softmax gate (PLE, Fig 8)."""

    gate: str
    experts: list[ExpertWeight]


class FieldMask(_Part):
    """How far a sub-network reads one field, over the examples; `zero_share` is that of rows in which it does not at all."""

    field: str
    mean: float
    zero_share: float


class SubnetworkFields(_Part):
    """The fields that a sub-network chooses (MSSM, Fig 3a)."""

    subnetwork: str
    fields: list[FieldMask]


class GatedBlock(_Part):
    """A part of a connection that hard-concrete gates open and close (MSSM, Fig 3b; SNR).

    Attributes:
        connection: the layer.
        source: the sub-network that it reads.
        target: the sub-network or task that it feeds.
        gates: how many there are: one a cell, or a single one for the whole block.
        closed_share: share of them that are exactly 0.
        mean: of their values, in [0, 1].
    """

    connection: str
    source: str
    target: str
    gates: int
    closed_share: float
    mean: float


class Mixture(_Part):
    """Coefficients of a linear mixture, such as α of a cross-stitch unit.

    Attributes:
        name: the unit and the letter of the paper.
        sources: names of the parts that are mixed.
        targets: names of the mixtures.
        values: a row a target with a value a source; the mean over units where each has
            coefficients of its own.
        standard_deviations: of the values over units; None where all units have the same
            coefficients.
    """

    name: str
    sources: list[str]
    targets: list[str]
    values: list[list[float]]
    standard_deviations: list[list[float]] | None


class Multiplications(_Part):
    """How many there are between the field embeddings and the logits, in matrices, gates and masks.

    `serving_default` does both kinds for each row, `rank` those of the request once.
    """

    request: int
    candidate: int

    def __add__(self, other: Multiplications) -> Multiplications:
        return Multiplications(
            request=self.request + other.request, candidate=self.candidate + other.candidate
        )


class PruningCount(_Part):
    """What an export left out: the multiplications with all gates and masks open, and those that remain."""

    all_open: Multiplications
    remaining: Multiplications

    def __str__(self) -> str:
        whole, left = self.all_open, self.remaining
        return (
            f"a candidate {left.candidate:,} of {whole.candidate:,} ({left.candidate / whole.candidate:.0%}), "
            f"a request {left.request:,} of {whole.request:,} ({left.request / max(whole.request, 1):.0%})"
        )


class InspectionGuide(_Part):
    """What an exported model says of its inside: all that does not depend on examples, and names for what does.

    Attributes:
        model: its name.
        gates: names of the experts of each gate. The signature's output `gate_output(name)` holds
            their weights, (B, E).
        fields: the fields in the order of the masks.
        subnetworks: those that choose fields. The signature's output `field_mask_output(name)`
            holds their masks, (B, F).
        blocks: what hard-concrete gates open and close.
        mixtures: learnt coefficients.
        multiplications: what pruning left; None where the model has no gates that close.
    """

    model: str
    gates: dict[str, list[str]]
    fields: list[str]
    subnetworks: list[str]
    blocks: list[GatedBlock]
    mixtures: list[Mixture]
    multiplications: PruningCount | None = None

    @property
    def needs_examples(self) -> bool:
        """Whether anything depends on examples."""
        return bool(self.gates or self.subnetworks)


class Inspection(_Part):
    """What `fulcrum inspect` found.

    Attributes:
        model: its name.
        folder: of the SavedModel.
        examples: number of examples that gates and field masks were computed for; 0 where nothing
            depends on examples.
        gates: statistics of each softmax gate.
        field_masks: statistics of each sub-network's field masks.
        blocks: what hard-concrete gates open and close.
        mixtures: learnt coefficients.
        multiplications: what pruning left; None where the model has no gates that close.
    """

    model: str
    folder: str
    examples: int
    gates: list[Gate]
    field_masks: list[SubnetworkFields]
    blocks: list[GatedBlock]
    mixtures: list[Mixture]
    multiplications: PruningCount | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the model has nothing to show."""
        return not (self.gates or self.field_masks or self.blocks or self.mixtures)


def gate_output(gate: str) -> str:
    """The signature's output with a gate's weights."""
    return f"gate/{gate}"


def field_mask_output(subnetwork: str) -> str:
    """The signature's output with a sub-network's field masks."""
    return f"field_mask/{subnetwork}"
