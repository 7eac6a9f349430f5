"""Gates, masks and mixtures of a trained model: the trainer writes them, the report reads them."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from feature_spec.artifacts.calibration import CalibrationReport
from feature_spec.artifacts.head_distribution import HeadDistribution
from feature_spec.artifacts.weight_effects import WeightEffects

# Where an exported model keeps its `InspectionGuide`.
INSPECTION_FILE = "assets.extra/inspection.json"
# The output of the signature that holds the mean gate of each field.
FIELD_GATES = "field_gates"


class _Part(pydantic.BaseModel):
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(frozen=True, extra="forbid")


class ExpertWeight(_Part):
    """The weight that a gate gives to one expert, over the examples."""

    expert: str
    mean: float
    standard_deviation: float


class Gate(_Part):
    """A softmax gate (PLE, Fig 8)."""

    gate: str
    experts: list[ExpertWeight]


class ExpertOutput(_Part):
    """What an expert gives out, over the examples.

    Attributes:
        expert: the expert's name.
        zero_share: the mean share of its units that are exactly 0, as ReLU leaves them.
        size: the mean absolute value of its units.
    """

    expert: str
    zero_share: float
    size: float


class LevelOutputs(_Part):
    """The outputs of the experts of a level (HoME, section 1, expert collapse)."""

    level: str
    experts: list[ExpertOutput]


class FeatureGates(_Part):
    """The mean gate of each field before one expert, between 0 and 2 (HoME's feature gates).

    Attributes:
        expert: the expert's name.
        fields: the mean over the examples and the field's columns, by field; 1 leaves it as it is.
    """

    expert: str
    fields: dict[str, float]


class FieldMask(_Part):
    """The mask of one field in a sub-network, over the examples.

    Attributes:
        field: the field's name.
        mean: the mean of the mask.
        zero_share: the share of rows in which the mask is 0.
    """

    field: str
    mean: float
    zero_share: float


class SubnetworkFields(_Part):
    """The fields that a sub-network chooses (MSSM, Fig 3a)."""

    subnetwork: str
    fields: list[FieldMask]


class GatedBlock(_Part):
    """A part of a connection that gates open and close (MSSM, Fig 3b; SNR; DSelect-k).

    Attributes:
        connection: the layer's name.
        source: the sub-network that the block reads.
        target: the sub-network or task that the block feeds.
        gates: the number of gates: one a cell, or a single one for the whole block.
        closed_share: the share of gates that are exactly 0.
        mean: the mean of the gates' values, in [0, 1].
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
        name: the unit, and the letter of the paper.
        sources: names of the parts that are mixed.
        targets: names of the mixtures.
        values: a row for each target with a value for each source. If each unit has coefficients of
            its own, the values are means over units.
        standard_deviations: the standard deviations over units; None if all units have the same
            coefficients.
    """

    name: str
    sources: list[str]
    targets: list[str]
    values: list[list[float]]
    standard_deviations: list[list[float]] | None


class AttendedLists(_Part):
    """The lists of a history that candidates attend to, and the fields they are compared with.

    Attributes:
        history: the history's name. The output `attention_output(history)` of the signature holds
            the weights of the entries, (B, L), averaged over heads.
        pooling: `dot_product`, whose weights sum to 1, or `activation_unit`.
        values: the field that each list shares, by list.
        marks: the lists of age and feedback.
    """

    history: str
    pooling: str
    values: dict[str, str]
    marks: list[str]


class PlaceWeight(_Part):
    """The weight of entries at some places of a history, of which 1 is the newest.

    Attributes:
        first: the first place.
        last: the last place.
        entries: the number of entries at these places.
        mean: the mean weight of one of them.
    """

    first: int
    last: int
    entries: int
    mean: float


class AlikeWeight(_Part):
    """The weight of entries that have the candidate's value of a field, and of the others.

    Attributes:
        field: the field.
        entries: the number of entries that have it.
        mean: the mean weight of one of them; 0 if there is none.
        mean_of_others: the mean weight of another entry.
    """

    field: str
    entries: int
    mean: float
    mean_of_others: float


class AttendedEntry(_Part):
    """An entry of a history with its weight and its values by list."""

    weight: float
    values: dict[str, str]


class AttendedExample(_Part):
    """An exposure and the entries that its candidate attends to most.

    Attributes:
        candidate: the values of the fields that are compared, by field.
        length: the number of all entries.
        entries: the entries with the largest absolute weights, heaviest first.
    """

    candidate: dict[str, str]
    length: int
    entries: list[AttendedEntry]


class HistoryAttention(_Part):
    """The weights that candidates give to the entries of a history, over the examples.

    Attributes:
        history: the history's name.
        pooling: `dot_product`, whose weights sum to 1, or `activation_unit`.
        empty_share: the share of examples without an entry.
        places: weights by place, newest first.
        alike: weights of entries that share a value with the candidate, for each list.
        examples: the first exposures with several entries.
    """

    history: str
    pooling: str
    empty_share: float
    places: list[PlaceWeight]
    alike: list[AlikeWeight]
    examples: list[AttendedExample]


class GatedParts(_Part):
    """What PEPNet's gates scale, and the fields by whose values examples are told apart.

    Attributes:
        gates_input: whether the domain gates the input. The output `FIELD_GATES` of the signature
            then holds the mean gate of each field's columns, (B, F).
        towers: the number of hidden layers by task, if prior information gates them. The output
            `tower_gates_output(task)` holds how far the gates of each layer are from 1, (B, L).
        domain: the kinds of the raw values of the fields of the domain, `text` or `number`.
    """

    gates_input: bool
    towers: dict[str, int]
    domain: dict[str, str]


class GatesOfValue(_Part):
    """The gates of the examples with one value of a field.

    Attributes:
        value: the value; `missing`; or `others`, those that are not shown.
        examples: the number of examples.
        fields: the mean gate of each field: 1 leaves it as it is, below 1 it counts less.
        layers: the mean distance from 1 of the gates of each tower's layers.
    """

    value: str
    examples: int
    fields: list[float]
    layers: list[float]


class GatesByField(_Part):
    """The gates by the values of a field of the domain, the most frequent first."""

    field: str
    values: list[GatesOfValue]


class PersonalisedGates(_Part):
    """What PEPNet's gates do, over the examples.

    Attributes:
        fields: the fields that the domain gates; none without a domain.
        layers: the hidden layers that prior information gates, by task; none without.
        overall: the means over all examples.
        deviations: the standard deviations over all examples.
        by: the means by the values of each field of the domain.
    """

    fields: list[str]
    layers: list[str]
    overall: GatesOfValue
    deviations: GatesOfValue
    by: list[GatesByField]


class ValueEffects(_Part):
    """What values of a field that only training has add to the logits of tasks.

    Attributes:
        field: the field.
        values: the values, most frequent first.
        effects: the difference to the logit of an unknown value, for each value, by task.
    """

    field: str
    values: list[str]
    effects: dict[str, list[float]]


class Multiplications(_Part):
    """The number of multiplications between the field embeddings and the logits.

    They are those of matrices, gates and masks. `serving_default` does both kinds for each row,
    `rank` does those of the request once.
    """

    request: int
    candidate: int

    def __add__(self, other: Multiplications) -> Multiplications:
        return Multiplications(
            request=self.request + other.request, candidate=self.candidate + other.candidate
        )


class PruningCount(_Part):
    """The multiplications before pruning, with all gates and masks open, and after it."""

    all_open: Multiplications
    remaining: Multiplications

    def __str__(self) -> str:
        whole, left = self.all_open, self.remaining
        return (
            f"a candidate {left.candidate:,} of {whole.candidate:,} "
            f"({left.candidate / whole.candidate:.0%}), "
            f"a request {left.request:,} of {whole.request:,} "
            f"({left.request / max(whole.request, 1):.0%})"
        )


class InspectionGuide(_Part):
    """The file of an export that lists its gates, masks and mixtures.

    It holds all that does not depend on examples, and the names of the rest.

    Attributes:
        model: the model's name.
        gates: names of the experts of each gate. The output `gate_output(name)` of the signature
            holds their weights, (B, E).
        fields: the fields, in the order of the masks.
        subnetworks: the sub-networks that choose fields. The output `field_mask_output(name)` of
            the signature holds their masks, (B, F).
        blocks: the blocks that hard-concrete gates open and close.
        mixtures: the learnt coefficients.
        multiplications: the multiplications that pruning left; None if the model has no
            hard-concrete gates.
        histories: the histories that candidates attend to.
        gated: what PEPNet's gates scale; None if the model has none.
        expert_outputs: names of the experts of each level. The outputs `expert_zeros_output(level)`
            and `expert_sizes_output(level)` of the signature hold the share of zeros and the mean
            absolute value of their units, (B, E). None in exports of earlier versions.
        training_only: the effects of fields that only training has.
        feature_gates: the experts that have feature gates. The output `feature_gate_output(expert)`
            of the signature holds the mean gate of each field, (B, F).
        heads: what heads have learnt of the distribution of labels.
    """

    model: str
    gates: dict[str, list[str]]
    fields: list[str]
    subnetworks: list[str]
    blocks: list[GatedBlock]
    mixtures: list[Mixture]
    multiplications: PruningCount | None = None
    histories: list[AttendedLists] = []
    gated: GatedParts | None = None
    expert_outputs: dict[str, list[str]] = {}
    training_only: list[ValueEffects] = []
    feature_gates: list[str] = []
    heads: list[HeadDistribution] = []

    @property
    def needs_examples(self) -> bool:
        """True if gates, masks or attention depend on examples."""
        return bool(self.gates or self.subnetworks or self.histories or self.gated)


class Inspection(_Part):
    """The findings of `fulcrum inspect`.

    Attributes:
        model: the model's name.
        folder: the folder of the SavedModel.
        examples: the number of examples that gates and field masks were computed for; 0 if nothing
            depends on examples.
        gates: statistics of each softmax gate.
        field_masks: statistics of each sub-network's field masks.
        blocks: the blocks that hard-concrete gates open and close.
        mixtures: the learnt coefficients.
        multiplications: the multiplications that pruning left; None if the model has no
            hard-concrete gates.
        histories: what candidates attend to in each history.
        personalised: what PEPNet's gates do; None if the model has none.
        calibration: what was fitted to the validation examples; None without a calibration.
        expert_outputs: statistics of the outputs of the experts that gates weigh.
        training_only: the effects of fields that only training has.
        feature_gates: what each expert of the first level reads more or less of.
        heads: what heads have learnt of the distribution of labels.
    """

    model: str
    folder: str
    examples: int
    gates: list[Gate]
    field_masks: list[SubnetworkFields]
    blocks: list[GatedBlock]
    mixtures: list[Mixture]
    multiplications: PruningCount | None = None
    histories: list[HistoryAttention] = []
    personalised: PersonalisedGates | None = None
    calibration: CalibrationReport | None = None
    expert_outputs: list[LevelOutputs] = []
    training_only: list[ValueEffects] = []
    feature_gates: list[FeatureGates] = []
    heads: list[HeadDistribution] = []

    @property
    def is_empty(self) -> bool:
        """True if the model has nothing to show."""
        return not (
            self.gates
            or self.field_masks
            or self.blocks
            or self.mixtures
            or self.histories
            or self.personalised
            or self.calibration
            or self.training_only
            or self.heads
        )


class ModelInsight(_Part):
    """The findings of the pipeline's component `ModelInsight`, which its report shows.

    Attributes:
        inspection: gates, masks, connections and mixtures inside the model, as far as it has them.
        weight_effects: the effect of each weight of the ranking formula on the top of lists.
    """

    inspection: Inspection
    weight_effects: WeightEffects


def gate_output(gate: str) -> str:
    """Return the signature's output that holds a gate's weights."""
    return f"gate/{gate}"


def tower_gates_output(task: str) -> str:
    """Return the signature's output that holds the gates of a task's tower, layer by layer."""
    return f"tower_gates/{task}"


def feature_gate_output(expert: str) -> str:
    """Return the signature's output that holds the mean gate of each field before an expert."""
    return f"feature_gate/{expert}"


def expert_zeros_output(level: str) -> str:
    """Return the signature's output that holds the shares of zeros of a level's experts."""
    return f"expert_zeros/{level}"


def expert_sizes_output(level: str) -> str:
    """Return the signature's output that holds the mean absolute values of a level's experts."""
    return f"expert_sizes/{level}"


def attention_output(history: str) -> str:
    """Return the signature's output that holds the weights of a history's entries."""
    return f"attention/{history}"


def field_mask_output(subnetwork: str) -> str:
    """Return the signature's output that holds a sub-network's field masks."""
    return f"field_mask/{subnetwork}"
