"""What the plain script is told is what Fulcrum's own run reads and trains."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.rechub_run import SPEC, WIDTH, plan, settings


def test_the_script_gets_the_fields_tasks_and_sizes_of_the_run() -> None:
    from pipeline.commands.spec_overrides import checked_trainer_settings, load_overridden_spec

    spec = load_overridden_spec(SPEC, settings(epochs=3))
    told = plan(Path("/data"), epochs=3)
    assert {*told["categorical"], *told["numeric"]} == set(spec.fields)
    assert {spec.fields[name].width for name in spec.fields} == {WIDTH}
    assert len(told["tasks"]) == len(spec.tasks)
    chosen = json.loads(checked_trainer_settings(spec))
    model, trainer = chosen["model"], chosen["trainer"]
    assert chosen["name"] == "ple"
    assert (model["expert_units"], model["tower_units"]) == ([told["units"]], [told["tower_units"]])
    assert [model[name] for name in ("levels", "task_experts", "shared_experts")] == [
        told[name] for name in ("levels", "task_experts", "shared_experts")
    ]
    assert [trainer[name] for name in ("epochs", "batch_size")] == [
        told[name] for name in ("epochs", "batch_size")
    ]
