"""The time that pruning saves: MSSM from field embeddings to logits, whole and as exported.

    python -m benchmarks.pruned_export              # prints a table; about a minute on 2 cores
    python -m benchmarks.pruned_export --json FILE

All networks have 30 fields of 1,000 values and width 16, of which 10 belong to the candidate,
5 tasks, sub-networks of 64 units, and random weights. Nothing is trained here: gates are closed
at random. In the last network, two thirds of the units of the sub-networks never fire as well.
Training left the MSSM of KuaiRand-Pure like that (`docs/models.md`), because L2 shrank their
matrices to nothing. In the first network all gates are open, so pruning leaves nothing out, and
any gain comes from the order of the operations alone. Whole and pruned networks take turns and
the median counts, because machines are noisy.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.worker import machine

if TYPE_CHECKING:
    from trainer.network.network import Network
    from trainer.network.network_layout import FieldRows, NetworkLayout

FIELDS = {"request": 20, "candidate": 10}
VALUES, WIDTH, TASKS = 1000, 16, 5
WARM_UP = 5

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    repetitions: Annotated[
        int, typer.Option(help="Calls of each network; the median counts.", min=1)
    ] = 60,
    candidates: Annotated[
        list[int] | None, typer.Option(help="Candidates of a request. Repeatable.")
    ] = None,
) -> None:
    """Measure how much faster the pruned MSSM scores candidates than the whole one."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    networks = {
        "all open": (1.0, 1.0),
        "60 % closed": (0.4, 1.0),
        "90 % closed": (0.1, 1.0),
        "90 % closed, 1/3 fires": (0.1, 1 / 3),
    }
    figures = [
        figure
        for name, shares in networks.items()
        for figure in measured(name, network(*shares), candidates or [100, 500, 2000], repetitions)
    ]
    console.print(table(figures))
    if json_file:
        json_file.write_text(
            json.dumps(
                {"machine": machine(), "repetitions": repetitions, "figures": figures}, indent=2
            )
        )


def layout() -> NetworkLayout:
    """Return the layout of the workload; row 0 of the table stands for a missing value."""
    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.network_layout import NetworkLayout

    return NetworkLayout(
        table_rows={WIDTH: 1 + VALUES * sum(FIELDS.values())},
        slots={
            side: tuple(SlotLayout(place, 1, WIDTH, 0) for place in range(count))  # type: ignore[misc]
            for side, count in FIELDS.items()
        },
        numbers={"request": 0, "candidate": 0},
        tasks={f"task_{number}": "binary" for number in range(TASKS)},
    )


def field_rows() -> list[FieldRows]:
    """Return the table rows of each field; no two fields share a row."""
    import numpy as np

    from trainer.network.network_layout import FieldRows

    return [
        FieldRows(np.arange(1 + field * VALUES, 1 + (field + 1) * VALUES), is_list=False)
        for field in range(sum(FIELDS.values()))
    ]


def features(count: int, requests: int, seed: int = 0) -> dict[str, Any]:
    """Return random ids of requests, (requests, 20), and of candidates, (count, 10)."""
    import numpy as np

    random = np.random.default_rng(seed)
    first = 1 + VALUES * np.arange(sum(FIELDS.values()))
    split = FIELDS["request"]
    return {
        "request_ids": first[:split] + random.integers(0, VALUES, (requests, split)),
        "candidate_ids": first[split:] + random.integers(0, VALUES, (count, FIELDS["candidate"])),
    }


def network(open_share: float, firing_share: float) -> Network:
    """Return an MSSM with random weights and gates.

    Args:
        open_share: share of the cells whose gates are open.
        firing_share: share of the sub-network units that can be above 0.
    """
    import numpy as np
    import tensorflow as tf

    from trainer.network.network import Network
    from trainer.settings.train_config import parse_settings

    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    result = Network(layout(), parse_settings({"name": "mssm"}, {}), name="network")
    result(features(2, 2))
    gate = result.sharing.connection.task_gate.log_alpha
    gate.assign(np.where(random.random(gate.shape) < open_share, 20.0, -20.0))
    fscm = result.sharing.subnetworks
    fires = random.random(fscm.bias.shape) < firing_share
    fscm.kernel.assign(np.where(fires[:, np.newaxis], fscm.kernel, 1e-6))
    fscm.bias.assign(np.where(fires, 0.1, -0.1))
    return result


def measured(
    name: str, whole: Network, candidates: list[int], repetitions: int
) -> list[dict[str, Any]]:
    """Measure the whole and the pruned network on requests of each number of candidates."""
    import numpy as np
    import tensorflow as tf

    from trainer.export.served_network import pruned_network
    from trainer.inspect.introspection import closed_shares

    found = pruned_network(whole, field_rows())
    if found is None:
        raise RuntimeError("MSSM has gates, and yet it was not pruned")
    networks = {"whole": whole, "pruned": found.network}
    scored = {
        key: tf.function(lambda x, one=one: one.logits([x], [])) for key, one in networks.items()
    }
    (closed_share,) = closed_shares(whole.sharing).values()
    result = []
    for count in candidates:
        console.print(f"[dim]{name}: {count:,} candidates[/dim]")
        ids = features(count, 1, seed=3)
        inputs = {key: one.embed(ids, one_request=True)[0] for key, one in networks.items()}
        times: dict[str, list[float]] = {key: [] for key in networks}
        for repetition in range(repetitions + WARM_UP):
            for key, score in scored.items():
                began = time.perf_counter()
                logits = score(inputs[key])
                for value in logits.values():
                    value.numpy()
                if repetition >= WARM_UP:
                    times[key].append(1000.0 * (time.perf_counter() - began))
        expected, logits_of_pruned = (scored[key](inputs[key]) for key in networks)
        result.append({
            "network": name,
            "closed_share": closed_share,
            "multiplications": found.multiplications.model_dump(),
            "candidates": count,
            **{f"{key}_ms": statistics.median(values) for key, values in times.items()},
            "largest_difference": max(
                float(np.max(np.abs(expected[task] - logits_of_pruned[task]))) for task in expected
            ),
        })  # fmt: skip
    return result


def table(figures: list[dict[str, Any]]) -> Table:
    """Return a table with one row for each network and number of candidates."""
    result = Table(title=f"MSSM from field embeddings to logits: {machine()}", title_justify="left")
    for heading in (
        "network",
        "closed",
        "multiplications left",
        "candidates",
        "whole",
        "pruned",
        "times as fast",
        "difference",
    ):
        result.add_column(heading, justify="left" if heading == "network" else "right")
    for figure in figures:
        whole, left = (
            figure["multiplications"][key]["candidate"] for key in ("all_open", "remaining")
        )
        result.add_row(
            figure["network"],
            f"{figure['closed_share']:.0%}",
            f"{left / whole:.0%}",
            f"{figure['candidates']:,}",
            f"{figure['whole_ms']:.2f} ms",
            f"{figure['pruned_ms']:.2f} ms",
            f"{figure['whole_ms'] / figure['pruned_ms']:.2f}",
            f"{figure['largest_difference']:.0e}",
        )
    return result


if __name__ == "__main__":
    typer.run(main)
