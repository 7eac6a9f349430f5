"""From a notebook to `fulcrum run`: a DataFrame becomes logs, and a spec is checked.

Each `# %%` begins a cell, which editors and Jupyter (with jupytext) know.
"""

# %% A table of exposures with feedback, as a notebook has it
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fulcrum import parse_spec

random = np.random.default_rng(0)
rows = 3000
exposures = pd.DataFrame(
    {
        "user": random.integers(0, 100, rows),
        "film": random.integers(0, 60, rows),
        "minutes": random.uniform(1, 120, rows).round(1),
        "time": pd.Timestamp("2026-01-01", tz="UTC")
        + pd.to_timedelta(random.integers(0, 4 * 86400, rows), "s"),
    }
)
exposures["liked"] = random.uniform(size=rows) < (exposures["film"] % 5) / 8
exposures["shared"] = exposures["liked"] & (random.uniform(size=rows) < 0.3)

# %% Logs: one file a day, times in seconds
folder = Path("notebook")
(folder / "logs").mkdir(parents=True, exist_ok=True)
exposures["time_s"] = exposures["time"].astype("int64") // 10**9
for day, of_day in exposures.groupby(exposures["time"].dt.date):
    of_day.drop(columns="time").to_csv(folder / "logs" / f"{day}.csv", index=False)

# %% The spec: what the columns mean, what to predict, how to rank
SPEC = """
name: films
keys: {user: user, item: film, event_time: {column: time_s, unit: s}}
logs: {exposures: {path: "*.csv", format: csv}}
split: {evaluation_days: 1}
fields:
  user: {side: user, kind: categorical}
  film: {side: item, kind: categorical}
  minutes: {side: item, kind: numeric, minimum: 0}
tasks:
  like: {kind: binary, label: {rule: event, column: liked}, metric: auc}
  share: {kind: binary, label: {rule: event, column: shared}, metric: auc}
ranking_formula: {weights: {like: 1.0, share: 0.5}}
"""
(folder / "films.yaml").write_text(SPEC, encoding="utf-8")
print({name: task.kind for name, task in parse_spec(SPEC).tasks.items()})

# %% From here on, the command line
print(f"fulcrum spec check {folder}/films.yaml")
print(f"fulcrum run --spec {folder}/films.yaml --logs {folder}/logs --root runs/films")
