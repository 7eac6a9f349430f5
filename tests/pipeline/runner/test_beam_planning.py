"""Beam's planning with functions inspected once comes to what it comes to without."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.transforms import userstate

from pipeline.runner.beam_planning import functions_inspected_once


class Counting(beam.DoFn):
    STATE = userstate.CombiningValueStateSpec("count", combine_fn=sum)

    def process(self, element: object, count: object = beam.DoFn.StateParam(STATE)) -> list[object]:
        count.add(1)
        return [(element[0], count.read())]


class Plain(beam.DoFn):
    def process(self, element: object) -> list[object]:
        return [element]


@pytest.fixture
def inspections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The functions that Beam has inspected."""
    found: list[object] = []
    inspect = userstate.get_dofn_specs

    def counted(function: object) -> object:
        found.append(function)
        return inspect(function)

    monkeypatch.setattr(userstate, "get_dofn_specs", counted)
    return found


def test_each_function_is_inspected_once_and_the_answer_is_beams(
    inspections: list[object],
) -> None:
    functions = [Counting(), Plain(), Counting()]
    with functions_inspected_once():
        for _ in range(3):
            answers = [userstate.get_dofn_specs(function) for function in functions]
    assert inspections == functions
    assert answers == [userstate.get_dofn_specs(function) for function in functions]
    assert answers[0] == ({Counting.STATE}, set())
    assert answers[1] == (set(), set())


def test_beams_own_inspection_is_back_afterwards_also_after_an_error() -> None:
    before = userstate.get_dofn_specs
    with pytest.raises(KeyError), functions_inspected_once():
        assert userstate.get_dofn_specs is not before
        raise KeyError
    assert userstate.get_dofn_specs is before


def test_a_function_with_state_still_runs_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    with functions_inspected_once(), beam.Pipeline() as pipeline:
        counted = pipeline | beam.Create([("a", 1), ("a", 2), ("b", 3)]) | beam.ParDo(Counting())
        _ = counted | beam.combiners.ToList() | beam.Map(lambda found: print(sorted(found)))
    assert "[('a', 1), ('a', 2), ('b', 1)]" in capsys.readouterr().out
