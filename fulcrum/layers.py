"""Keras layers of multi-task models, each with its paper; usable in any Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
    from trainer.layers.adatt import AdaTTLevel
    from trainer.layers.cgc import CGCLevel
    from trainer.layers.dselect_k import DSelectKGate
    from trainer.layers.experts import Experts, GroupedDense
    from trainer.layers.feature_gate import FeatureGate
    from trainer.layers.field_embedding import FieldEmbedding, SlotLayout, flattened
    from trainer.layers.fields.crosses import CrossNetwork
    from trainer.layers.fields.vector_projection import VectorProjection
    from trainer.layers.flat_input import FlatInput
    from trainer.layers.fscm import FSCM
    from trainer.layers.gate_nu import GateNU
    from trainer.layers.gated_connections import CSSM, SNRConnection
    from trainer.layers.gates import Gates, HardConcreteGate, SelfGates, mixture
    from trainer.layers.mixing_units import CrossStitchUnit, SluiceUnit
    from trainer.layers.norms import RMSNorm
    from trainer.layers.target_attention import ActivationUnit, DotProductAttention, History
    from trainer.layers.tower import Tower

__all__ = [
    "CSSM",
    "FSCM",
    "ActivationUnit",
    "AdaTTLevel",
    "CGCLevel",
    "CrossNetwork",
    "CrossStitchUnit",
    "DSelectKGate",
    "DotProductAttention",
    "Experts",
    "FeatureGate",
    "FieldEmbedding",
    "FlatInput",
    "GateNU",
    "Gates",
    "GroupedDense",
    "HardConcreteGate",
    "History",
    "RMSNorm",
    "SNRConnection",
    "SelfGates",
    "SlotLayout",
    "SluiceUnit",
    "Tower",
    "VectorProjection",
    "flattened",
    "mixture",
]

_HOMES = {
    "ActivationUnit": "trainer.layers.target_attention",
    "AdaTTLevel": "trainer.layers.adatt",
    "CGCLevel": "trainer.layers.cgc",
    "CrossNetwork": "trainer.layers.fields.crosses",
    "CrossStitchUnit": "trainer.layers.mixing_units",
    "CSSM": "trainer.layers.gated_connections",
    "DotProductAttention": "trainer.layers.target_attention",
    "DSelectKGate": "trainer.layers.dselect_k",
    "Experts": "trainer.layers.experts",
    "FeatureGate": "trainer.layers.feature_gate",
    "FieldEmbedding": "trainer.layers.field_embedding",
    "FlatInput": "trainer.layers.flat_input",
    "flattened": "trainer.layers.field_embedding",
    "FSCM": "trainer.layers.fscm",
    "GateNU": "trainer.layers.gate_nu",
    "Gates": "trainer.layers.gates",
    "GroupedDense": "trainer.layers.experts",
    "HardConcreteGate": "trainer.layers.gates",
    "History": "trainer.layers.target_attention",
    "mixture": "trainer.layers.gates",
    "RMSNorm": "trainer.layers.norms",
    "SelfGates": "trainer.layers.gates",
    "SlotLayout": "trainer.layers.field_embedding",
    "SluiceUnit": "trainer.layers.mixing_units",
    "SNRConnection": "trainer.layers.gated_connections",
    "Tower": "trainer.layers.tower",
    "VectorProjection": "trainer.layers.fields.vector_projection",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
