"""Impressions whose conversion rate is known, clicked or not, as transformed examples in memory.

The impressions are those of `fulcrum simulate` in which a click starts the play: click is `ctr`,
and the conversion is a share or a comment. A conversion follows a click alone, but its true
probability is known for all.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from feature_spec import names
from feature_spec.feature_layout import IDS, NUMBERS
from pipeline.simulator.evolution import draw_states
from pipeline.simulator.exposures import draw_exposures
from pipeline.simulator.feedback import (
    Inclinations,
    Propensities,
    inclinations,
    mood_match,
    propensities,
)
from pipeline.simulator.population import Users, Videos, draw_users, draw_videos
from pipeline.simulator.simulation_config import SimulationSettings

if TYPE_CHECKING:
    from trainer.network.network_layout import NetworkLayout

Conversion = Literal["share", "comment"]
WIDTH = 16
# Log-odds that a conversion has more than in the simulator, where it is rarer than its errors.
_MORE = 1.5
_DAYS = 8


@dataclasses.dataclass(frozen=True)
class Impressions:
    """N impressions.

    Attributes:
        ids: rows of the table by side, (N, S).
        numbers: numbers by side, (N, ·); of the candidate alone.
        click, conversion: true probabilities, the second under a click, (N,).
        best_click, best_conversion: what the fields tell of them, (N,): P(click) and
            P(conversion | click). No model that learns from logs can do better.
        clicked, converted: what happened, and what would have happened after a click, (N,).
    """

    ids: dict[str, np.ndarray]
    numbers: np.ndarray
    click: np.ndarray
    conversion: np.ndarray
    best_click: np.ndarray
    best_conversion: np.ndarray
    clicked: np.ndarray
    converted: np.ndarray

    @property
    def size(self) -> int:
        """N."""
        return len(self.click)

    def examples(self, *, everyone: bool = False) -> dict[str, np.ndarray]:
        """Return the examples of the tasks click and conversion.

        Args:
            everyone: whether to tell what would have happened without a click, too, which no log
                does.
        """
        known = np.ones(self.size) if everyone else self.clicked
        return {
            **{IDS[side]: ids for side, ids in self.ids.items()},  # type: ignore[index]
            NUMBERS["candidate"]: self.numbers,
            names.LABELS: np.stack([self.clicked, self.converted], axis=1).astype(np.float32),
            names.MASKS: np.stack([np.ones(self.size), known], axis=1).astype(np.float32),
        }


@dataclasses.dataclass(frozen=True)
class Simulation:
    """Impressions, and the sizes of their fields.

    Attributes:
        impressions: the impressions of all days.
        sizes: the number of values of each field, by side.
    """

    impressions: Impressions
    sizes: dict[str, list[int]]

    def layout(self) -> NetworkLayout:
        """Return the places of the fields in a network of the tasks click and conversion."""
        from trainer.layers.field_embedding import SlotLayout
        from trainer.network.network_layout import NetworkLayout

        return NetworkLayout(
            table_rows={WIDTH: sum(map(sum, self.sizes.values()))},
            slots={
                side: tuple(SlotLayout(place, 1, WIDTH, 0) for place in range(len(sizes)))  # type: ignore[misc]
                for side, sizes in self.sizes.items()
            },
            numbers={"request": 0, "candidate": self.impressions.numbers.shape[1]},
            tasks={"click": "binary", "conversion": "binary"},
        )


def simulate(*, rows: int, seed: int, conversion: Conversion, moods: bool) -> Simulation:
    """Draw impressions of eight days.

    Args:
        rows: impressions of all days, about.
        seed: the seed of everything.
        conversion: what converts.
        moods: whether a field tells how well a video matches the user's mood and how it trends,
            on which click and conversion depend. Otherwise nothing does.
    """
    # Of the simulator's impressions, 45 % lie where a click starts the play.
    settings = SimulationSettings(days=_DAYS, rows_per_day=round(rows / 0.45 / _DAYS), seed=seed)
    rng = np.random.default_rng(seed)
    users, videos = draw_users(settings, rng), draw_videos(settings, rng)
    sizes = {
        "request": [len(users.activity), 6, 8, 4, 24, 4],
        "candidate": [len(videos.category), int(videos.author.max()) + 1, 20],
    }
    drawn = []
    for _, state in zip(range(_DAYS), draw_states(settings, rng), strict=False):
        exposures = draw_exposures(users, videos, settings.rows_per_day, rng)
        chosen = np.flatnonzero(exposures.context.clickable)
        user, video = exposures.user[chosen], exposures.video[chosen]
        context = dataclasses.replace(
            exposures.context,
            **{
                field.name: getattr(exposures.context, field.name)[chosen]
                for field in dataclasses.fields(exposures.context)
            },
        )
        match, trend = mood_match(state.moods[user], videos, video), state.trends[video]
        fixed = inclinations(users, videos, user, video, context)
        click, rate = _rates(propensities(fixed, match, trend), conversion)
        best = (click, rate) if moods else _without_moods(fixed, conversion)
        fields = {
            "request": [
                user,
                users.age_group[user],
                users.region[user],
                users.device[user],
                exposures.hour[chosen],
                exposures.network[chosen],
            ],
            "candidate": [video, videos.author[video], videos.category[video]],
        }
        drawn.append(
            Impressions(
                ids=_rows(fields, sizes),
                numbers=_numbers(users, videos, user, video, (match, trend) if moods else ()),
                click=click,
                conversion=rate,
                best_click=best[0],
                best_conversion=best[1],
                clicked=(rng.random(len(chosen)) < click).astype(np.float64),
                converted=(rng.random(len(chosen)) < rate).astype(np.float64),
            )
        )
    return Simulation(_together(drawn), sizes)


def _rates(true: Propensities, conversion: Conversion) -> tuple[np.ndarray, np.ndarray]:
    """Return P(click) and P(conversion | click), (N,) each."""
    rate = getattr(true, conversion)
    return true.click, 1.0 / (1.0 + np.exp(-_MORE) * (1.0 - rate) / rate)


def _without_moods(fixed: Inclinations, conversion: Conversion) -> tuple[np.ndarray, np.ndarray]:
    """Return P(click) and P(conversion | click) for one who knows nothing of moods and trends."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()
    clicks = np.zeros_like(fixed.click)
    both = np.zeros_like(clicks)
    for match, of_match in zip(nodes, weights, strict=True):
        for trend, of_trend in zip(nodes, weights, strict=True):
            click, rate = _rates(
                propensities(fixed, match * fixed.susceptibility, trend), conversion
            )
            clicks += of_match * of_trend * click
            both += of_match * of_trend * click * rate
    return clicks, both / clicks


def _together(parts: list[Impressions]) -> Impressions:
    return Impressions(
        ids={side: np.concatenate([part.ids[side] for part in parts]) for side in parts[0].ids},
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Impressions)
            if field.name != "ids"
        },
    )


def rows_of(impressions: Impressions, rows: np.ndarray) -> Impressions:
    """Return some of the impressions."""
    return Impressions(
        ids={side: ids[rows] for side, ids in impressions.ids.items()},
        **{
            field.name: getattr(impressions, field.name)[rows]
            for field in dataclasses.fields(Impressions)
            if field.name != "ids"
        },
    )


def _rows(
    fields: dict[str, list[np.ndarray]], sizes: dict[str, list[int]]
) -> dict[str, np.ndarray]:
    """Return the rows of one table in which each field has its own, by side."""
    first, result = 0, {}
    for side, values in fields.items():
        columns = []
        for value, size in zip(values, sizes[side], strict=True):
            columns.append(value + first)
            first += size
        result[side] = np.stack(columns, axis=1).astype(np.int64)
    return result


def _numbers(
    users: Users,
    videos: Videos,
    user: np.ndarray,
    video: np.ndarray,
    moods: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Return numbers of mean 0 and of a deviation of about 1, (N, ·)."""
    known = [
        (np.log(users.activity[user]) - 2.0) / 0.8,
        np.log(videos.duration_s[video] / 20.0),
        np.log1p(videos.age_days[video] / 30.0) - 1.0,
        *moods,
    ]
    return np.stack(known, axis=1).astype(np.float32)
