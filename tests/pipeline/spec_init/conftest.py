"""Files that have the layouts of public data sets, and the specs that are proposed for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from feature_spec.checking import checked_spec
from feature_spec.spec import FeatureSpec
from pipeline.spec_init.spec_file import write_spec

Proposed = Callable[..., FeatureSpec]


@pytest.fixture
def proposed(tmp_path: Path) -> Proposed:
    """Propose a spec for files below the test's folder, and check it as `fulcrum spec check` does.

    Files are given as texts by name; the first is the log.
    """

    def propose(
        files: Mapping[str, str | bytes],
        tables: Mapping[str, str] | None = None,
        columns: Mapping[str | None, Sequence[str]] | None = None,
        log: Sequence[str] = (),
    ) -> FeatureSpec:
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        out = tmp_path / "spec.yaml"
        write_spec(
            [tmp_path / "data" / name for name in log or list(files)[:1]],
            {name: tmp_path / "data" / file for name, file in (tables or {}).items()},
            columns or {},
            name="proposed",
            out=out,
        )
        return checked_spec(str(out))

    return propose


def movielens(users: int = 60, items: int = 90, lines: int = 3_000) -> dict[str, bytes]:
    """Files of MovieLens-100K's layout: ratings, items in Latin-1, users; none has a header."""
    draw = random.Random(7)
    taste = {user: draw.sample(range(19), 3) for user in range(1, users + 1)}
    genres = {item: draw.sample(range(19), 2) for item in range(1, items + 1)}
    ratings = []
    for _ in range(lines):
        user, item = draw.randint(1, users), 1 + int(items * draw.random() ** 2)
        liking = len(set(taste[user]) & set(genres[item]))
        stars = min(5, max(1, round(draw.gauss(2.8 + 1.2 * liking, 0.9))))
        ratings.append((user, item, stars, 874_724_710 + draw.randrange(200 * 86_400)))
    of_items = [
        f"{item}|Les Mis\u00e9rables {item} (1995)|{1 + item % 28:02d}-Jan-1995||http://us.imdb.com/{item}|"
        + "|".join(str(int(genre in genres[item])) for genre in range(19))
        for item in genres
    ]
    jobs = ["student", "other", "writer", "nurse"]
    of_users = [
        f"{user}|{draw.randint(7, 73)}|{draw.choice('MF')}|{draw.choice(jobs)}|{10_000 + user % 40}"
        for user in taste
    ]
    return {
        "u.data": "".join("\t".join(map(str, row)) + "\n" for row in ratings).encode(),
        "u.item": "\n".join(of_items).encode("latin-1") + b"\n",
        "u.user": "\n".join(of_users).encode() + b"\n",
    }


def taobao(users: int = 80, lines: int = 4_000) -> str:
    """A log of events of Taobao's layout: user, item, category, behaviour, time; no header."""
    draw = random.Random(3)
    rows = []
    for _ in range(lines):
        user, item = draw.randint(1, users), int(300 * draw.random() ** 2)
        time = 1_511_539_200 + draw.randrange(9 * 86_400)
        rows.append((1_000 + user, 5_000 + item, 900 + item % 30, "pv", time))
        for kind, share in (("cart", 0.12), ("fav", 0.08), ("buy", 0.05)):
            if draw.random() < share * (1 + (item % 30 == user % 30)):
                later = time + draw.randrange(5, 3_000)
                rows.append((1_000 + user, 5_000 + item, 900 + item % 30, kind, later))
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def ali_ccp(lines: int = 200) -> str:
    """A log of Ali-CCP's layout: labels and columns whose names are numbers; no keys, no time."""
    draw = random.Random(5)
    names = "click,purchase,101,121,205,206,207,216,301,109_14,D109_14,D508"
    rows = []
    for _ in range(lines):
        click = int(draw.random() < 0.3)
        purchase = int(click and draw.random() < 0.4)
        codes = [draw.randint(0, 40) for _ in range(4)]
        rows.append(
            [
                click,
                purchase,
                draw.randint(1, 30),
                1,
                *codes,
                1,
                1,
                0.4734,
                draw.choice([0.0, 0.2615, 0.48]),
            ]
        )
    return "\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n"
