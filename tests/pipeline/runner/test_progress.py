"""The terminal shows nodes and what our own packages log."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipeline.runner.progress import RunProgress


def shown(*, terminal: bool = False) -> str:
    stream = io.StringIO()
    logger = logging.getLogger("fulcrum.trainer")
    logger.setLevel(logging.INFO)
    run: Any = SimpleNamespace(
        node="Trainer", state="done", elapsed_s=12.34, peak_memory_bytes=1_234_000_000
    )
    with RunProgress(Console(file=stream, width=120, force_terminal=terminal)) as progress:
        progress.started("Trainer")
        logger.info("epoch 1: auc [0.7]")
        logging.getLogger("library").warning("noise")
        print("noise")
        progress.ended(run)
    logger.info("after the run")
    return stream.getvalue()


def test_without_a_terminal_each_node_has_a_line_when_it_starts_and_when_it_ends() -> None:
    assert shown().splitlines() == [
        "Trainer: running",
        "  epoch 1: auc [0.7]",
        "Trainer: done in 12.3 s, peak memory 1.23 GB",
    ]


def test_on_a_terminal_the_same_lines_stay_beside_the_moving_one() -> None:
    assert "epoch 1: auc [0.7]" in shown(terminal=True)
    assert "Trainer: done in 12.3 s, peak memory 1.23 GB" in shown(terminal=True)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_libraries_print_and_log_is_not_shown(terminal: bool) -> None:
    assert "noise" not in shown(terminal=terminal)
