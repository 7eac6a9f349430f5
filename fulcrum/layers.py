"""Keras layers of multi-task models, each with its paper; usable in any Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
    from trainer.layers.cgc import CGC
    from trainer.layers.cross_stitch_unit import CrossStitchUnit
    from trainer.layers.cssm import CSSM
    from trainer.layers.experts import Experts
    from trainer.layers.field_embedding import FieldEmbedding, SlotLayout
    from trainer.layers.flat_input import FlatInput
    from trainer.layers.fscm import FSCM
    from trainer.layers.gates import Gates
    from trainer.layers.grouped_dense import GroupedDense
    from trainer.layers.hard_concrete_gate import HardConcreteGate
    from trainer.layers.sluice_unit import SluiceUnit
    from trainer.layers.snr_connection import SNRConnection
    from trainer.layers.tower import Tower

__all__ = [
    "CGC",
    "CSSM",
    "FSCM",
    "CrossStitchUnit",
    "Experts",
    "FieldEmbedding",
    "FlatInput",
    "Gates",
    "GroupedDense",
    "HardConcreteGate",
    "SNRConnection",
    "SlotLayout",
    "SluiceUnit",
    "Tower",
]

_HOMES = {
    "CGC": "trainer.layers.cgc",
    "CrossStitchUnit": "trainer.layers.cross_stitch_unit",
    "CSSM": "trainer.layers.cssm",
    "Experts": "trainer.layers.experts",
    "FieldEmbedding": "trainer.layers.field_embedding",
    "FlatInput": "trainer.layers.flat_input",
    "FSCM": "trainer.layers.fscm",
    "Gates": "trainer.layers.gates",
    "GroupedDense": "trainer.layers.grouped_dense",
    "HardConcreteGate": "trainer.layers.hard_concrete_gate",
    "SlotLayout": "trainer.layers.field_embedding",
    "SluiceUnit": "trainer.layers.sluice_unit",
    "SNRConnection": "trainer.layers.snr_connection",
    "Tower": "trainer.layers.tower",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
