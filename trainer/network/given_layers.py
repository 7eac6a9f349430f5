"""The layers that layouts and settings ask for around a sharing architecture, a list for each."""

from __future__ import annotations

from feature_spec.feature_layout import SIDES
from trainer.layers.fields.crosses import CrossNetwork
from trainer.layers.fields.exposure_tower import ExposureTower
from trainer.layers.fields.vector_projection import VectorProjection
from trainer.network.network_layout import NetworkLayout
from trainer.settings.model_settings import ModelSettings


def cross_networks(settings: ModelSettings, sets: int) -> list[CrossNetwork]:
    """Make what crosses the fields of each set of tables; none without `cross_layers`."""
    return [
        CrossNetwork(settings.cross_layers, settings.cross_rank, name=f"crosses_{number}")
        for number in range(sets)
        if settings.cross_layers
    ]


def exposure_towers(layout: NetworkLayout, sets: int) -> list[ExposureTower]:
    """Make the towers of the fields that only training has; none without such fields."""
    return [
        ExposureTower(
            len(layout.tasks) // sets,
            [one.dropout_rate for one in layout.training_only],
            name=f"exposure_tower_{number}",
        )
        for number in range(sets)
        if layout.training_only
    ]


def vector_projections(layout: NetworkLayout, sets: int) -> list[list[VectorProjection]]:
    """Make the layers of the vectors for each set of tables, in the order of the fields."""
    return [
        [
            VectorProjection(
                place.width,
                normalise=place.normalise,
                name=f"projection_{number}_{side}_{position}",
            )
            for side in SIDES
            for position, place in enumerate(layout.vectors_of(side))
        ]
        for number in range(sets)
    ]
