"""Users and videos: their fields in the logs, and hidden factors (docs/simulator.md, section 1)."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.simulator.simulation_config import SimulationSettings

FACTORS = 8
AGE_GROUPS = np.array(["0-17", "18-23", "24-30", "31-40", "41-50", "51+"])
REGIONS = np.array(
    ["north", "north_east", "east", "south_east", "south", "south_west", "west", "north_west"]
)
DEVICES = np.array(["android_low", "android_mid", "android_high", "ios"])
CATEGORIES = np.array([
    "animals", "beauty", "cars", "comedy", "cooking", "dance", "drama", "education", "family",
    "fashion", "fitness", "games", "handicraft", "health", "music", "news", "science", "sports",
    "technology", "travel",
])  # fmt: skip
TAGS = 60
MOODS = 2
TAGS_OF_VIDEO = 4


@dataclasses.dataclass(frozen=True)
class Users:
    """U users.

    Attributes:
        factors: interests, (U, FACTORS), each of variance 1.
        age_group, region, device: indices into the names above, (U,).
        activity: the requests of a user are proportional to it, (U,).
        sociable: inclination to share and, less so, to comment, (U,).
    """

    factors: np.ndarray
    age_group: np.ndarray
    region: np.ndarray
    device: np.ndarray
    activity: np.ndarray
    sociable: np.ndarray


@dataclasses.dataclass(frozen=True)
class Videos:
    """V videos.

    Attributes:
        factors: subjects, (V, FACTORS), each of variance 1.
        category: index into `CATEGORIES`, (V,).
        author: number of the author, (V,).
        tags: numbers of the tags, -1 for none, (V, TAGS_OF_VIDEO).
        duration_s: length in seconds, 6 to 180, (V,).
        age_days: days since the upload, (V,).
        clickbait: raises clicks and lowers the watch ratio, (V,).
        substance: raises the watch ratio, (V,).
        shareable, debatable: raise shares and comments, (V,).
        styles: what users' moods respond to, each of variance 1, (V, MOODS).
        popularity: probability of being a candidate, (V,), sums to 1.
    """

    factors: np.ndarray
    category: np.ndarray
    author: np.ndarray
    tags: np.ndarray
    duration_s: np.ndarray
    age_days: np.ndarray
    clickbait: np.ndarray
    substance: np.ndarray
    shareable: np.ndarray
    debatable: np.ndarray
    styles: np.ndarray
    popularity: np.ndarray


def draw_users(settings: SimulationSettings, rng: np.random.Generator) -> Users:
    """Draw the users; age group and region explain 60 % of their interests."""
    count = settings.users
    age_group = rng.choice(len(AGE_GROUPS), size=count, p=[0.08, 0.24, 0.27, 0.21, 0.12, 0.08])
    region = rng.integers(len(REGIONS), size=count)
    of_age_group = rng.normal(size=(len(AGE_GROUPS), FACTORS))
    of_region = rng.normal(size=(len(REGIONS), FACTORS))
    individual = rng.normal(size=(count, FACTORS))
    return Users(
        factors=np.sqrt(0.4) * of_age_group[age_group]
        + np.sqrt(0.2) * of_region[region]
        + np.sqrt(0.4) * individual,
        age_group=age_group,
        region=region,
        device=rng.choice(len(DEVICES), size=count, p=[0.25, 0.35, 0.2, 0.2]),
        activity=np.exp(rng.normal(2.0, 0.8, size=count)).round(2),
        sociable=np.sqrt(0.5) * rng.normal(size=len(AGE_GROUPS))[age_group]
        + np.sqrt(0.5) * rng.normal(size=count),
    )


def draw_videos(settings: SimulationSettings, rng: np.random.Generator) -> Videos:
    """Draw the videos.

    The category explains 70 % of the subject and 60 % of the style, of which the author explains
    another 30 %; the tags explain half of shares and comments.
    """
    count = settings.videos
    category = rng.integers(len(CATEGORIES), size=count)
    of_category = rng.normal(size=(len(CATEGORIES), FACTORS))
    tags = rng.integers(TAGS, size=(count, TAGS_OF_VIDEO))
    of_tag = rng.normal(size=(2, TAGS))
    tags[np.arange(TAGS_OF_VIDEO) >= rng.integers(TAGS_OF_VIDEO + 1, size=(count, 1))] = -1
    tag_effect = np.where(tags >= 0, of_tag[:, tags], 0.0).sum(axis=-1) / np.sqrt(TAGS_OF_VIDEO)
    popularity = np.arange(1, count + 1) ** -0.8
    authors = max(count // 5, 1)
    author = rng.integers(authors, size=count)
    return Videos(
        factors=np.sqrt(0.7) * of_category[category]
        + np.sqrt(0.3) * rng.normal(size=(count, FACTORS)),
        category=category,
        author=author,
        tags=tags,
        duration_s=np.clip(np.exp(rng.normal(3.1, 0.8, size=count)), 6, 180).round(1),
        age_days=rng.exponential(30, size=count).round(1),
        clickbait=0.6 * rng.normal(size=len(CATEGORIES))[category] + 0.8 * rng.normal(size=count),
        substance=0.6 * rng.normal(size=len(CATEGORIES))[category] + 0.8 * rng.normal(size=count),
        shareable=tag_effect[0] + 0.7 * rng.normal(size=count),
        debatable=tag_effect[1] + 0.7 * rng.normal(size=count),
        styles=np.sqrt(0.6) * rng.normal(size=(len(CATEGORIES), MOODS))[category]
        + np.sqrt(0.3) * rng.normal(size=(authors, MOODS))[author]
        + np.sqrt(0.1) * rng.normal(size=(count, MOODS)),
        popularity=popularity / popularity.sum(),
    )
