"""MTL gains for people: a table, and what is the matter in words."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from pipeline.evaluate.formatting import change_text, number_text
from pipeline.evaluate.task_gains import MtlGains, TaskGain


def gains_table(gains: MtlGains) -> Table:
    """A row a task."""
    table = Table(
        "task",
        title="MTL gain (PLE, Eq 11): trained together against the same network trained on the task alone",
    )
    for column in ("metric", "together", "alone", "gain (95 % interval)"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for gain in gains.tasks:
        table.add_row(
            gain.task,
            gain.metric,
            number_text(gain.together),
            number_text(gain.alone),
            change_text(gain.gain),
            _verdict(gain),
        )
    return table


def gains_text(gains: MtlGains) -> Text:
    """Names negative transfer and the seesaw where there are any."""
    losing = ", ".join(gains.negative_transfer)
    if gains.seesaw:
        strength = "" if gains.seesaw_beyond_noise else " (not both beyond noise)"
        gaining = ", ".join(gains.gaining)
        return Text(
            f"Seesaw{strength}: {gaining} gained, {losing} lost (negative transfer)", style="yellow"
        )
    if losing:
        return Text(f"Negative transfer: {losing}", style="yellow")
    return Text("No negative transfer")


def _verdict(gain: TaskGain) -> str:
    if gain.gain is None or gain.gain.value is None:
        return "cannot be computed"
    value = gain.gain.value
    verdict = "gains" if value > 0.0 else "negative transfer" if value < 0.0 else "no difference"
    return verdict + (", within noise" if gain.is_noise else "")
