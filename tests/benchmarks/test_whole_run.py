"""The benchmark of a whole run gives each component the CPU time up to its end."""

from __future__ import annotations

from benchmarks.whole_run import Cost, costs


def test_a_component_has_the_time_since_the_end_of_the_one_before() -> None:
    found = costs(
        [
            ("Warning: something", 0.0),
            ("LogsExampleGen: running", 8.0),
            ("LogsExampleGen: done in 1.5 s, peak memory 1.00 GB", 10.0),
            ("Transform: running", 10.5),
            ("Transform: done in 60.0 s, peak memory 1.50 GB", 30.0),
            ("Blessed and pushed as version 1", 30.0),
            ("", 33.0),
        ]
    )
    assert found == {
        "start": Cost(8.0, 0.0),
        "LogsExampleGen": Cost(2.0, 1.0),
        "Transform": Cost(20.0, 1.5),
        "summary": Cost(3.0, 0.0),
        "whole run": Cost(33.0, 1.5),
    }


def test_the_parts_add_up_to_the_whole() -> None:
    found = costs([("A: running", 1.0), ("A: done in 1.0 s, peak memory 2.00 GB", 4.0), ("", 5.0)])
    parts = [cost.cpu_s for component, cost in found.items() if component != "whole run"]
    assert sum(parts) == found["whole run"].cpu_s
