"""What changes from day to day and stands in no table: users' moods and videos' trends.

Only earlier feedback tells of it, so this is what histories can add (docs/simulator.md, section 2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from pipeline.simulator.population import MOODS
from pipeline.simulator.simulation_config import SimulationSettings

# ρ of a first-order autoregressive process: the correlation of a day with the next.
_KEPT = 0.7


@dataclasses.dataclass(frozen=True)
class State:
    """Moods of U users and trends of V videos on one day, all of them standard normal.

    Attributes:
        moods: what users like today, (U, MOODS).
        trends: how much videos please today, (V,).
    """

    moods: np.ndarray
    trends: np.ndarray


def draw_states(settings: SimulationSettings, rng: np.random.Generator) -> Iterator[State]:
    """Draw the states of one day after the other, without end."""
    state = State(rng.normal(size=(settings.users, MOODS)), rng.normal(size=settings.videos))
    while True:
        yield state
        state = State(_next(state.moods, rng), _next(state.trends, rng))


def _next(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _KEPT * value + np.sqrt(1.0 - _KEPT**2) * rng.normal(size=value.shape)
