"""An error of any library becomes one line that a reader can act on."""

from __future__ import annotations

import pytest

from pipeline.runner.node_errors import NodeFailedError, cause_of, details_of

# What Beam's in-memory runner raises when a worker fails.
FROM_BEAM = """Error processing instruction bundle_1. Original traceback is
Traceback (most recent call last):
  File "common.py", line 1, in process
    raise ValueError("no such column")
some.module.SpecError: no such column [while running 'Ingest/Read']
"""
FROM_KERAS = """Graph execution error:

Detected at node network/lookup defined at (most recent call last):
  File "run.py", line 1, in <module>

indices[0] = 7 is not in [0, 3)
\t [[{{node network/lookup}}]] [Op:__inference_train_function_1]
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (KeyError("x"), "KeyError: 'x'"),
        (MemoryError(), "MemoryError"),
        (RuntimeError(FROM_BEAM), "SpecError: no such column"),
        (ValueError("no such column [while running 'Ingest/Read']"), "ValueError: no such column"),
        (RuntimeError(FROM_KERAS), "RuntimeError: indices[0] = 7 is not in [0, 3)"),
    ],
)
def test_the_cause_is_one_line(error: BaseException, line: str) -> None:
    assert cause_of(error) == line


def test_a_very_long_cause_is_cut() -> None:
    assert len(cause_of(ValueError("x" * 10_000))) == 400


def test_details_are_the_further_lines_of_a_message_and_the_notes() -> None:
    error = ValueError("too many rejected\n  day 1, line 2: not JSON")
    error.add_note("a table")
    assert details_of(error) == "  day 1, line 2: not JSON\na table"


@pytest.mark.parametrize(
    "error", [RuntimeError(FROM_BEAM), RuntimeError(FROM_KERAS), ValueError("one line")]
)
def test_a_stack_is_no_detail(error: Exception) -> None:
    assert details_of(error) == ""


def test_the_error_of_a_node_names_node_and_cause() -> None:
    assert (
        str(NodeFailedError("Trainer", "ValueError: no examples"))
        == "Trainer failed: ValueError: no examples"
    )
