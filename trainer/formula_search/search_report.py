"""A formula search as tables."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from trainer.formula_search.found_formula import Difference, FoundFormula

_COLORS = {"gain": "green", "loss": "red", "within noise": "dim", "cannot tell": "dim"}
_GROUPS = {"request": "requests", "user_day": "user-days (UTC)", "user": "users"}


def print_search(found: FoundFormula, console: Console) -> None:
    """Print the exposures by use, the chosen weights, their effect on held-out groups, the ends."""
    exposures, groups = found.exposures, found.groups
    console.print(f"{found.spec}, {found.folder}", soft_wrap=True, highlight=False)
    console.print(
        f"{exposures.logged:,} logged exposures = {exposures.searched:,} searched + "
        f"{exposures.held_out:,} held out + "
        f"{exposures.in_groups_left_out:,} where order makes no difference + "
        f"{exposures.without_key:,} without a key\n"
        f"{groups.searched + groups.held_out + groups.left_out:,} {_GROUPS[found.group_by]} = "
        f"{groups.searched:,} searched + "
        f"{groups.held_out:,} held out + {groups.left_out:,} left out",
        soft_wrap=True,
        highlight=False,
    )
    console.print(_weights(found))
    console.print(_differences(found))
    console.print(_extremes(found))
    if found.reason_to_keep is not None:
        console.print(f"Keep what you have: {found.reason_to_keep}.", style="yellow")
    console.print(
        "Replay says what this order of what was shown would have put first, if users had acted "
        "the same anywhere. It knows nothing of items that were not shown. Try the weights in an "
        "experiment before they serve all.",
        style="dim",
    )


def _table(title: str, *numbers: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _weights(found: FoundFormula) -> Table:
    table = _table("Weights of the ranking formula", "current", "found", first="factor")
    for name, weight in found.current.items():
        table.add_row(name, f"{weight:g}", f"{found.found.weights[name]:g}")
    return table


def _differences(found: FoundFormula) -> Table:
    discounted = " discounted by 1/log2(1 + rank)," if found.discount == "log2" else ""
    title = (
        f"Sum over the first {found.top_k},{discounted} a group; held-out groups; "
        "95 % intervals over "
    )
    title += (
        f"{found.groups.held_out_units:,} users"
        if found.groups.held_out_units < found.groups.held_out
        else "groups"
    )
    table = _table(
        title, "current", "found", "difference", "interval", "relative", "", first="objective"
    )
    for one in found.found.held_out:
        table.add_row(
            f"{one.objective} (less is better)" if one.minimised else one.objective,
            f"{one.current:.5g}",
            f"{one.found:.5g}",
            f"{one.difference:+.3g}",
            f"{one.lower:+.3g} to {one.upper:+.3g}",
            _relative(one),
            f"[{_COLORS[one.verdict]}]{one.verdict}[/]",
        )
    return table


def _extremes(found: FoundFormula) -> Table:
    """Show the best of each objective alone, and its cost to the others."""
    objectives = [one.objective for one in found.found.held_out]
    minimised = {one.objective for one in found.found.held_out if one.minimised}
    title = (
        f"Ends of the Pareto front of {len(found.front)} points: "
        "relative difference on held-out groups"
    )
    table = _table(title, *objectives, *found.current, first="best for")
    for objective in objectives:
        best = min if objective in minimised else max
        end = best(found.front, key=lambda point: point.searched[objective])
        table.add_row(
            objective,
            *map(_relative, end.held_out),
            *(f"{end.weights[name]:g}" for name in found.current),
        )
    table.add_row(
        "all (chosen)",
        *map(_relative, found.found.held_out),
        *(f"{w:g}" for w in found.found.weights.values()),
    )
    return table


def _relative(difference: Difference) -> str:
    return "–" if difference.relative is None else f"{difference.relative:+.2%}"
